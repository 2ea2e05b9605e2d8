// Routes of verification, windows and intake.

internal import CollectorCore
internal import Evidence
internal import HTTPTypes
internal import Hummingbird
internal import Proofs
internal import Quantities

extension HouseRoutes {
    func addProduction(_ router: Router<BasicRequestContext>) {
        view(router, "/v1/production/:entity") { _, context in
            let entity = try identifier(context, "entity")
            guard let latest = await house.production(entity).last else {
                throw Problem.notFound(
                    "settled production of \(entity)", hint: "GET /v1/reconciliation/status tells what is waited for")
            }
            return Answer.json(latest)
        }
        view(router, "/v1/production/:entity/history") { request, context in
            let page = try Page(request)
            return Answer.json(page.answer(await house.production(try identifier(context, "entity"))) { $0 })
        }
        view(router, "/v1/attestation/:id") { request, context in
            guard let found = await house.attestation(try digest(context, "id")) else {
                throw Problem.notFound(
                    "attestation with this id", hint: "production answers list the ids of their attestations")
            }
            return Answer.immutable(found, request)
        }
        view(router, "/v1/reconciliation/status") { _, _ in Answer.json(await house.reconciliationStatus()) }
        post(router, "/v1/statements", .auditor) { body, _, _ in
            let id = try await house.take(statement: try envelope(body, as: .statement))
            return Answer.json(.object([("statement_id", .string(id.description))]), status: .created)
        }
        post(router, "/v1/reviews", .operator) { body, _, _ in
            let id = try await house.take(review: try envelope(body, as: .review))
            return Answer.json(.object([("review_id", .string(id.description))]), status: .created)
        }
        post(router, "/v1/sources", .auditor, bytesMax: Self.sourceBytesMax) { body, _, _ in
            let id = try await house.keep(source: body)
            return Answer.json(.object([("digest", .string(id.description))]), status: .created)
        }
    }

    func addWindows(_ router: Router<BasicRequestContext>) {
        view(router, "/v1/windows") { request, _ in
            let page = try Page(request)
            return Answer.json(await house.windows(page))
        }
        view(router, "/v1/windows/:window") { request, context in
            guard let found = await house.windowView(try windowID(context)) else {
                throw Problem.notFound("such window", hint: "GET /v1/windows lists them")
            }
            return found.isFinal ? Answer.immutable(found.view, request) : Answer.json(found.view)
        }
        view(router, "/audit/transcript/:window") { request, context in
            guard let found = await house.transcript(try windowID(context)) else { throw notSealed }
            return Answer.immutable(found, request)
        }
        view(router, "/audit/output-digest/:window") { request, context in
            let id = try windowID(context)
            guard let digest = await house.outputDigest(id) else { throw notSealed }
            return Answer.immutable(
                .object([("window_id", .string(id.text)), ("output_digest", .string(digest.description))]), request)
        }
        post(router, "/replay/:window", .operator) { _, _, context in
            Answer.json(try await house.replayAgain(try windowID(context)))
        }
        post(router, "/window/:window/authorize", .operator) { _, _, context in
            Answer.json(try await house.authorize(try windowID(context)))
        }
        view(router, "/acceptance/:window") { _, context in
            Answer.json(try await house.acceptance(try windowID(context)))
        }
        post(router, "/acceptance/proof", .verifier, alternatives: [.auditor]) { body, _, _ in
            let id = try await house.take(proof: try envelope(body, as: .proof))
            return Answer.json(.object([("proof_id", .string(id.description))]), status: .created)
        }
        post(router, "/v1/registrations", .operator) { body, _, _ in
            let document: Document
            do throws(DocumentError) { document = try Document(decoding: body, as: .registration) } catch {
                throw Problem.badRequest(
                    "not a registration document", detail: "\(error): docs/formats/documents.md has its shape")
            }
            let (id, isNew) = try await house.take(registration: document)
            return Answer.json(.object([("document_id", .string(id.description))]), status: isNew ? .created : .ok)
        }
        view(router, "/v1/house") { _, _ in Answer.json(await house.houseView()) }
        view(router, "/v1/gateways") { request, _ in
            let page = try Page(request)
            return Answer.json(page.answer(await house.gatewayViews()) { $0 })
        }
    }

    private var notSealed: Problem {
        Problem.notFound(
            "sealed transcript of this window",
            hint: "a window is sealed after its end and grace; GET /v1/windows tells where it is")
    }

    func addIntake(_ router: Router<BasicRequestContext>) {
        post(router, "/ingest/events", .operator, bytesMax: SignedMessage.acceptedBytesMax + 1) { body, request, _ in
            guard let gateway = request.uri.queryParameters["gateway"].flatMap({ Identifier(String($0)) }) else {
                throw Problem.badRequest(
                    "no gateway", detail: "name the gateway that signed it: /ingest/events?gateway=<id>")
            }
            return Answer.cbor(try await house.ingest(body, gateway: gateway))
        }
    }
}
