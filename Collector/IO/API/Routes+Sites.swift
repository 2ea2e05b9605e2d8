// Routes about what is to be registered, and about facilities: a draft is judged, never kept.

internal import CBOR
internal import CollectorCore
internal import Evidence
internal import HTTPTypes
internal import Hummingbird

extension HouseRoutes {
    func addSites(_ router: Router<BasicRequestContext>) {
        post(router, "/v1/registrations/check", .operator, bytesMax: RegistrationDraft.bytesMax) { body, _, _ in
            Answer.json(await house.draftView(try draft(body)))
        }
        post(router, "/v1/registrations/standing", .operator, bytesMax: RegistrationDraft.bytesMax) { body, _, _ in
            Answer.json(await house.standingView(try draft(body)))
        }
        view(router, "/v1/enrolment") { _, _ in Answer.json(await house.enrolmentView()) }
        view(router, "/v1/entities/:entity") { _, context in
            guard let view = await house.entityView(try identifier(context, "entity")) else {
                throw Problem.notFound("such entity", hint: "register it first: kilomint-collector device add")
            }
            return Answer.json(view)
        }
    }

    private func draft(_ body: [UInt8]) throws(Problem) -> RegistrationDraft {
        do throws(ShapeError) { return try RegistrationDraft(decoding: body) } catch {
            throw Problem.badRequest("not a draft", detail: "\(error): `kilomint-collector device add` writes one")
        }
    }

    /// Pages for people: the form, and each gateway's life.
    func addSitePages(_ router: Router<BasicRequestContext>) {
        view(router, "/devices/new") { _, _ in Answer.page(SitePage.form(SiteForm(await house.siteChoices()))) }
        // Computes a draft and keeps nothing: who may look may ask for one. What it says counts when three have signed it.
        post(router, "/devices/new", .viewer, bytesMax: FormFields.bytesMax) { body, request, _ in
            try Self.requireOwnPage(request)
            let form = await house.siteForm(try FormFields(body))
            guard form.errors.isEmpty else { return Answer.page(SitePage.form(form), status: .unprocessableContent) }
            return Answer.page(form.registrations.isEmpty ? SitePage.form(form) : SitePage.draft(form))
        }
        // What persons signed elsewhere comes back: taken as `device submit` hands it in, one registration after the other.
        post(router, "/devices/draft", .operator, bytesMax: SignedDrafts.bytesMax) { body, request, _ in
            try Self.requireOwnPage(request)
            let outcome = try await house.submit(try SignedDrafts(body).joined)
            return Answer.json(outcome.json, status: outcome.isWhole ? .ok : .unprocessableContent)
        }
        // One that is not registered yet is waited for.
        view(router, "/gateways/:gateway") { _, context in
            let gateway = try identifier(context, "gateway")
            return Answer.page(
                GatewayPage.document(
                    gateway, await house.deviceDetail(gateway), enrolmentURL: await house.enrolmentURL,
                    tenant: await house.tenant))
        }
        view(router, "/gateways/:gateway/fragment") { _, context in
            let detail = await house.deviceDetail(try identifier(context, "gateway"))
            return Answer.page(GatewayPage.fragment(detail, enrolmentURL: await house.enrolmentURL))
        }
    }

    /// A form is taken from a page of this server alone. Browsers say where a request comes from; what says nothing is no
    /// browser's form.
    private static func requireOwnPage(_ request: Request) throws(Problem) {
        let site = request.headers[.secFetchSite]
        let origin = request.headers[.origin]
        let authority = request.head.authority ?? ""
        let isOwn =
            site.map { $0 == "same-origin" }
            ?? origin.map { $0 == "http://" + authority || $0 == "https://" + authority } ?? false
        guard isOwn else {
            throw Problem(
                .badRequest, "other-origin", "The form comes from another page",
                detail:
                    "open /devices/new of this house and send its form; programs use `kilomint-collector device add`")
        }
    }
}

extension HTTPField.Name {
    /// https://www.w3.org/TR/fetch-metadata/
    fileprivate static var secFetchSite: HTTPField.Name {
        guard let name = HTTPField.Name("Sec-Fetch-Site") else { preconditionFailure("a token is a field's name") }
        return name
    }
}
