// Routes about gateways as devices: what an operator needs to let one enrol. The enrolment itself has a port of its own.

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
        router.get("/v1/devices/:gateway") { [access] request, context in
            try access.require(.operator, request)
            guard let view = await house.deviceView(try identifier(context, "gateway")) else {
                throw Problem.notFound("such gateway", hint: "register it first: GET /v1/gateways lists what is known")
            }
            return Answer.json(view)
        }
    }
}
