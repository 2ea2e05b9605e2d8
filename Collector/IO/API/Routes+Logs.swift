// Static files of the logs, health, metrics, the interface's own description, and the console.

internal import CollectorCore
internal import CollectorJournal
internal import HTTPTypes
internal import Hummingbird
internal import Proofs

extension HouseRoutes {
    func addLogs(_ router: Router<BasicRequestContext>) {
        view(router, "/log/:log/:epoch/**") { request, context in
            let path = context.parameters.getCatchAll().joined(separator: "/")
            guard let log = LogName(rawValue: context.parameters.get("log") ?? ""),
                let epoch = UInt64(context.parameters.get("epoch") ?? ""),
                let bytes = try await house.logFile(log, epoch: epoch, path: path)
            else { throw noFile }
            if path == "checkpoint" {
                return Answer.text(String(decoding: bytes, as: UTF8.self), type: "text/plain; charset=utf-8")
            }
            return Answer.immutable(bytes, type: "application/octet-stream", request)
        }
        router.get("/records/:log/:epoch/:bundle") { [access, house] request, context in
            try access.require(.auditor, request)
            guard let log = LogName(rawValue: context.parameters.get("log") ?? ""),
                let epoch = UInt64(context.parameters.get("epoch") ?? ""),
                let bundle = UInt64(context.parameters.get("bundle") ?? ""),
                let bytes = try await house.records(log, epoch: epoch, bundle: bundle)
            else { throw noFile }
            return Answer.cbor(bytes)
        }
        for folder in ["segments", "sources"] {
            router.get("/\(folder)/:digest") { [access, house] request, context in
                try access.require(.auditor, request)
                guard let bytes = try await house.object(try digest(context, "digest")) else { throw noFile }
                return Answer.immutable(bytes, type: "application/octet-stream", request)
            }
        }
        view(router, "/house") { _, _ in Answer.cbor(try await house.houseFile()) }
    }

    private var noFile: Problem {
        Problem.notFound(
            "such file in the log",
            hint: "read `checkpoint` first: only what it covers is served; docs/formats/logs.md names the paths")
    }

    func addHealth(_ router: Router<BasicRequestContext>) {
        router.get("/healthz") { [house] _, _ in
            let reasons = await house.healthTroubles()
            let body = JSON.object([
                ("status", .string(reasons.isEmpty ? "ok" : "degraded")),
                ("reasons", .array(reasons.map { .string($0) })),
            ])
            return Answer.json(body, status: reasons.isEmpty ? .ok : .serviceUnavailable)
        }
        router.get("/metrics") { [house] _, _ in
            Answer.text(await house.metrics(), type: "text/plain; version=0.0.4; charset=utf-8")
        }
        router.get("/openapi.json") { _, _ in Answer.text(OpenAPI.document, type: "application/json") }
    }

    func addConsole(_ router: Router<BasicRequestContext>) {
        view(router, "/") { _, _ in Answer.page(ConsolePage.document(await house.consoleModel())) }
        view(router, "/console/fragment") { _, _ in Answer.page(ConsolePage.fragment(await house.consoleModel())) }
        router.get("/console.css") { request, _ in
            Answer.asset(ConsoleAssets.style + "\n" + DeviceAssets.style, type: "text/css; charset=utf-8", request)
        }
        router.get("/console.js") { request, _ in
            Answer.asset(ConsoleAssets.script, type: "text/javascript; charset=utf-8", request)
        }
        router.get("/devices.js") { request, _ in
            Answer.asset(DeviceAssets.script, type: "text/javascript; charset=utf-8", request)
        }
    }
}

extension Answer {
    /// Own styles and scripts only; nobody may frame the page.
    private static let pageHeaders: HTTPFields = {
        var headers: HTTPFields = [.contentType: "text/html; charset=utf-8", .cacheControl: "no-store"]
        headers[.contentSecurityPolicy] =
            "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        headers[.xContentTypeOptions] = "nosniff"
        return headers
    }()

    static func page(_ html: String, status: HTTPResponse.Status = .ok) -> Response {
        Response(status: status, headers: pageHeaders, body: .init(byteBuffer: ByteBuffer(string: html)))
    }

    /// Revalidated at each load: the executable may have been replaced.
    static func asset(_ text: String, type: String, _ request: Request) -> Response {
        var response = immutable(Array(text.utf8), type: type, request)
        response.headers[.cacheControl] = "no-cache"
        return response
    }
}
