// Routes about gateways as devices: what an operator needs to let one enrol. The enrolment itself has a port of its own.

internal import HTTPTypes
internal import Hummingbird

extension HouseRoutes {
    func addDevices(_ router: Router<BasicRequestContext>) {
        router.get("/v1/devices/:gateway") { [access] request, context in
            try access.require(.operator, request)
            guard let view = await house.deviceView(try identifier(context, "gateway")) else {
                throw Problem.notFound("such gateway", hint: "register it first: GET /v1/gateways lists what is known")
            }
            return Answer.json(view)
        }
    }
}
