// Every error becomes application/problem+json: those of the framework, and those nobody expected. Their texts stay here.

internal import CollectorJournal
internal import HTTPTypes
internal import Hummingbird
internal import Logging

/// Around all routes, and around what finds none.
struct ProblemMiddleware: RouterMiddleware {
    let logger: Logger

    @concurrent func handle(
        _ request: Request, context: BasicRequestContext,
        next: @concurrent (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch {
            return try problem(error, request).response(from: request, context: context)
        }
    }

    private func problem(_ error: any Error, _ request: Request) -> Problem {
        switch error {
        case let problem as Problem: return problem
        case let error as HTTPError where error.status == .notFound:
            return Problem.notFound("such route", hint: "GET /openapi.json lists them")
        case let error as HTTPError:
            return Problem(
                error.status, "bad-request", error.status.reasonPhrase,
                detail: error.body ?? "send a request as GET /openapi.json has it")
        case LogError.behind(let standing):
            return Problem(
                .serviceUnavailable, "log-behind", "The house takes nothing now", detail: standing.description)
        case LogError.full(let text):
            return Problem(
                .serviceUnavailable, "log-full", "The house has no room",
                detail: "\(text): make room, then send it again")
        default:
            logger.error("\(request.method) \(request.uri.path): \(error)")
            return Problem(
                .internalServerError, "internal", "The house could not do that",
                detail: "send it again; when it fails again the collector's log tells why")
        }
    }
}
