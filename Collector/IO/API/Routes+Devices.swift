// Routes about gateways as devices: what an operator needs to let one enrol. The enrolment itself has a port of its own.

internal import Evidence
internal import HTTPTypes
internal import Hummingbird

extension HouseRoutes {
    func addDevices(_ router: Router<BasicRequestContext>) {
        view(router, "/devices") { _, _ in Answer.page(DevicePage.document(await house.deviceModel())) }
        view(router, "/devices/fragment") { _, _ in Answer.page(DevicePage.fragment(await house.deviceModel())) }
        view(router, "/v1/devices") { request, _ in
            let page = try Page(request)
            return Answer.json(page.answer(await house.deviceModel().devices) { $0.json })
        }
        post(router, "/v1/devices/:gateway/unlock", .operator, bytesMax: 0) { _, _, context in
            guard await house.unlock(try identifier(context, "gateway")) else {
                throw Problem.notFound("claim of this gateway", hint: "make one: kilomint-collector device claim")
            }
            return Answer.json(.object([("unlocked", .bool(true))]))
        }
        post(router, "/v1/devices/:gateway/configuration", .operator, bytesMax: Command.textBytesMax) {
            body, request, context in
            guard let text = String(validating: body, as: UTF8.self) else {
                throw Problem.badRequest("the configuration is no text", detail: "send YAML as UTF-8")
            }
            let hours = request.uri.queryParameters["hours"].map { Int64($0) ?? 0 }
            let lifetime = hours.map { $0.multipliedReportingOverflow(by: 3_600_000).partialValue }
            guard hours.map({ (1...House.commandLifetimeMax / 3_600_000).contains($0) }) ?? true else {
                throw Problem.badRequest("hours is out of range", detail: "1 … \(House.commandLifetimeMax / 3_600_000)")
            }
            return Answer.json(
                try await house.configure(
                    try identifier(context, "gateway"), text, lifetime: lifetime ?? House.commandLifetime))
        }
        view(router, "/v1/devices/:gateway/configuration") { _, context in
            let gateway = try identifier(context, "gateway")
            guard await house.isRegistered(gateway) else {
                throw Problem.notFound("such gateway", hint: "GET /v1/gateways lists what is known")
            }
            return Answer.json(await house.commandJSON(gateway))
        }
        router.get("/v1/devices/:gateway") { [access] request, context in
            try access.require(.operator, request)
            guard let view = await house.deviceView(try identifier(context, "gateway")) else {
                throw Problem.notFound("such gateway", hint: "register it first: GET /v1/gateways lists what is known")
            }
            return Answer.json(view)
        }
    }
}
