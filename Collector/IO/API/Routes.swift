// The routes of the HTTP interface, as docs/formats/http.md lists them: who may, what the house is asked, how it answers.

internal import CollectorCore
internal import Evidence
internal import HTTPTypes
internal import Hummingbird
internal import Proofs
internal import Quantities

struct HouseRoutes: Sendable {
    /// Largest body of an envelope or document.
    static let envelopeBytesMax = SignedMessage.documentBytesMax
    /// Largest raw input of a source statement.
    static let sourceBytesMax = 16 << 20

    let house: House
    let access: AccessTable

    init(house: House, tokens: [(text: String, role: AccessRole)], openReads: Bool) {
        self.house = house
        access = AccessTable(tokens: tokens, openReads: openReads)
    }

    func router() -> Router<BasicRequestContext> {
        let router = Router(options: .autoGenerateHeadEndpoints)
        router.add(middleware: ProblemMiddleware(logger: house.logger))
        addHealth(router)
        addConsole(router)
        addProduction(router)
        addIssuance(router)
        addSettlement(router)
        addGovernance(router)
        addWindows(router)
        addDevices(router)
        addSites(router)
        addSitePages(router)
        addIntake(router)
        addLogs(router)
        return router
    }

    // MARK: - Shared by all

    /// A viewer's GET whose answer may change.
    func view(
        _ router: Router<BasicRequestContext>, _ path: RouterPath,
        _ answer: @escaping @Sendable (Request, BasicRequestContext) async throws -> Response
    ) {
        router.get(path) { [access] request, context in
            try access.require(.viewer, request)
            return try await answer(request, context)
        }
    }

    /// A POST for `role` with a bounded body.
    func post(
        _ router: Router<BasicRequestContext>, _ path: RouterPath, _ role: AccessRole, alternatives: [AccessRole] = [],
        bytesMax: Int = envelopeBytesMax,
        _ answer: @escaping @Sendable ([UInt8], Request, BasicRequestContext) async throws -> Response
    ) {
        router.post(path) { [access] request, context in
            try access.require(anyOf: [role] + alternatives, request)
            let body: ByteBuffer
            do { body = try await request.body.collect(upTo: bytesMax) } catch { throw Problem.tooLarge(bytesMax) }
            return try await answer(Array(body.readableBytesView), request, context)
        }
    }

    func identifier(_ context: BasicRequestContext, _ name: String) throws -> Identifier {
        let text = context.parameters.get(name) ?? ""
        guard let id = Identifier(text) else {
            throw Problem.badRequest("\(text) is not an identifier", detail: "use 1 … 40 characters out of a-z 0-9 -")
        }
        return id
    }

    func digest(_ context: BasicRequestContext, _ name: String) throws -> Digest {
        guard let bytes = [UInt8](hex: context.parameters.get(name) ?? ""), let digest = Digest(bytes) else {
            throw Problem.badRequest("not a digest", detail: "use 64 hexadecimal digits")
        }
        return digest
    }

    func windowID(_ context: BasicRequestContext) throws -> WindowID {
        guard let id = WindowID(context.parameters.get("window") ?? "") else {
            throw Problem.badRequest(
                "not a window id", detail: "use an id such as W-2016-07-07-1; GET /v1/windows lists them")
        }
        return id
    }

    /// At most what is read back from the Journal: a longer one would stand there and keep the house from starting.
    func envelope(_ body: [UInt8], as type: ContentType) throws -> SignedMessage {
        do {
            return try SignedMessage(parsing: body, as: type)
        } catch {
            throw Problem.badRequest(
                "not an envelope of ours", detail: "\(error): send one COSE_Sign1 with content type \(type.rawValue)")
        }
    }
}

extension AccessTable {
    /// Throws what the last role's refusal says unless one suffices.
    func require(anyOf roles: [AccessRole], _ request: Request) throws(Problem) {
        var refusal: Problem?
        for role in roles {
            do throws(Problem) {
                try require(role, request)
                return
            } catch { refusal = error }
        }
        if let refusal { throw refusal }
    }
}
