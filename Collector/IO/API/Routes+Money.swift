// Routes of issuance, settlement and governance.

internal import CollectorCore
internal import Evidence
internal import HTTPTypes
internal import Hummingbird
internal import Proofs
internal import Quantities

extension HouseRoutes {
    func addIssuance(_ router: Router<BasicRequestContext>) {
        view(router, "/v1/allocation/:entity") { _, context in
            guard let found = await house.allocation(try identifier(context, "entity")) else {
                throw Problem.notFound("allocation of this entity", hint: "a window allocates when it is sealed")
            }
            return Answer.json(found)
        }
        view(router, "/v1/issuance/pending") { request, _ in
            let page = try Page(request)
            return Answer.json(page.answer(await house.pendingIssuance()) { $0 })
        }
        view(router, "/v1/supply") { _, _ in Answer.json(await house.supplyView()) }
        view(router, "/v1/redemption/:id") { _, _ in
            throw Problem(
                .notFound, "no-redemption", "There is no such redemption",
                detail: "this house takes no redemptions: its policy names no supplier")
        }
    }

    func addSettlement(_ router: Router<BasicRequestContext>) {
        view(router, "/v1/accounts/:account/balance") { _, context in
            let account = try identifier(context, "account")
            guard let found = await house.balance(account) else {
                throw Problem.notFound(
                    "account \(account)", hint: "accounts are opened by the registration of an entity's principals")
            }
            return Answer.json(found)
        }
        post(router, "/v1/transactions", .owner) { body, _, _ in
            let (view, isNew) = try await house.take(order: try envelope(body, as: .order))
            return Answer.json(view, status: isNew ? .created : .ok)
        }
        view(router, "/v1/transactions") { request, _ in
            let page = try Page(request)
            let account = try request.uri.queryParameters["account"].map { text in
                guard let account = Identifier(String(text)) else {
                    throw Problem.badRequest(
                        "\(text) is not an account id", detail: "use 1 … 40 characters out of a-z 0-9 -")
                }
                return account
            }
            return Answer.json(await house.transactions(account, page))
        }
        view(router, "/v1/transactions/:id") { request, context in
            guard let found = await house.transaction(context.parameters.get("id") ?? "") else {
                throw Problem.notFound(
                    "transaction with this id", hint: "ids are 32 hexadecimal digits; GET /v1/transactions lists them")
            }
            return found.isFinal ? Answer.immutable(found.view, request) : Answer.json(found.view)
        }
        view(router, "/v1/clearing/status") { _, _ in Answer.json(await house.clearingStatus()) }
        view(router, "/v1/trace/:id") { _, context in
            guard let found = await house.traceIndex(context.parameters.get("id") ?? "") else {
                throw Problem.notFound("transaction with this id", hint: "GET /v1/transactions lists them")
            }
            return Answer.json(found)
        }
    }

    func addGovernance(_ router: Router<BasicRequestContext>) {
        view(router, "/v1/proposals") { request, _ in Answer.json(try Page(request).answer([JSON]()) { $0 }) }
        view(router, "/v1/proposals/:id") { _, _ in
            throw Problem.notFound("such proposal", hint: "no proposal was opened in this house")
        }
        post(router, "/v1/votes", .owner) { _, _, _ in
            throw Problem(
                .conflict, "no-open-proposal", "No proposal is open", detail: "vote when GET /v1/proposals lists one")
        }
        view(router, "/v1/weights/:entity") { _, context in
            guard let found = await house.weight(of: try identifier(context, "entity")) else {
                throw Problem.notFound("weight of this entity", hint: "weights follow the first settled window")
            }
            return Answer.json(found)
        }
    }
}
