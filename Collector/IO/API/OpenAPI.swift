// The interface's own description (OpenAPI 3.1), from one table of its routes. A test holds it against the router.

internal import HTTPTypes

/// One operation as described.
struct Operation: Sendable {
    enum Body: Sendable {
        case none
        case envelope(String)
        case bytes
        case form
    }

    let method: String
    /// With `{name}` for parameters.
    let path: String
    /// Nil: no token needed.
    let role: AccessRole?
    /// Other roles that may.
    let alternatives: [AccessRole]
    let summary: String
    let body: Body
    /// Media type of the answer.
    let answer: String
    /// Success status.
    let status: Int
    let query: [String]

    init(
        _ method: String, _ path: String, _ role: AccessRole?, _ summary: String, body: Body = .none,
        answer: String = "application/json", status: Int = 200, query: [String] = [], alternatives: [AccessRole] = []
    ) {
        self.method = method
        self.path = path
        self.role = role
        self.alternatives = alternatives
        self.summary = summary
        self.body = body
        self.answer = answer
        self.status = status
        self.query = query
    }
}

enum OpenAPI {
    static let page = ["limit", "cursor"]

    static let operations: [Operation] = [
        Operation("get", "/healthz", nil, "Whether the house works, and what is wrong"),
        Operation("get", "/metrics", nil, "Prometheus metrics", answer: "text/plain"),
        Operation("get", "/openapi.json", nil, "This description"),
        Operation("get", "/", .viewer, "The console", answer: "text/html"),
        Operation("get", "/console/fragment", .viewer, "The console's changing part", answer: "text/html"),
        Operation("get", "/console.css", nil, "The console's style", answer: "text/css"),
        Operation("get", "/console.js", nil, "The console's script", answer: "text/javascript"),
        Operation("get", "/v1/production/{entity}", .viewer, "Latest verified production of an entity"),
        Operation("get", "/v1/production/{entity}/history", .viewer, "Verified production by window", query: page),
        Operation("get", "/v1/attestation/{id}", .viewer, "A day's verdict with every number that led to it"),
        Operation("get", "/v1/reconciliation/status", .viewer, "Where reconciliation stands"),
        Operation("get", "/v1/allocation/{entity}", .viewer, "Latest allocation of an entity"),
        Operation(
            "get", "/v1/issuance/pending", .viewer, "Allocated and not issued, with why and what clears it", query: page
        ),
        Operation("get", "/v1/supply", .viewer, "Total supply"),
        Operation("get", "/v1/redemption/{id}", .viewer, "Status of a redemption"),
        Operation("get", "/v1/accounts/{account}/balance", .viewer, "Balance of an account"),
        Operation("post", "/v1/transactions", .owner, "Submit a signed order", body: .envelope("order"), status: 201),
        Operation("get", "/v1/transactions", .viewer, "Transactions, oldest first", query: page + ["account"]),
        Operation("get", "/v1/transactions/{id}", .viewer, "A transaction"),
        Operation("get", "/v1/clearing/status", .viewer, "Clearing status"),
        Operation("get", "/v1/trace/{id}", .viewer, "Where the K$ of a transaction came from"),
        Operation("get", "/v1/proposals", .viewer, "Open proposals", query: page),
        Operation("get", "/v1/proposals/{id}", .viewer, "A proposal"),
        Operation("post", "/v1/votes", .owner, "Submit a ballot", body: .envelope("ballot"), status: 201),
        Operation("get", "/v1/weights/{entity}", .viewer, "Voting weight of an entity"),
        Operation(
            "post", "/ingest/events", .operator, "Hand in one record envelope; answered with its receipt",
            body: .envelope("record"), answer: "application/cbor", query: ["gateway"]),
        Operation(
            "post", "/window/{window}/authorize", .operator, "Authorise a window: ALLOW or HOLD for each principal"),
        Operation("get", "/audit/transcript/{window}", .viewer, "Seal and segments of a window's transcript"),
        Operation("get", "/audit/output-digest/{window}", .viewer, "Output digest of a window"),
        Operation("get", "/acceptance/{window}", .viewer, "Proofs given for a window"),
        Operation(
            "post", "/acceptance/proof", .verifier, "Submit a signed proof", body: .envelope("proof"), status: 201,
            alternatives: [.auditor]),
        Operation("post", "/replay/{window}", .operator, "Replay a sealed window now"),
        Operation(
            "post", "/v1/statements", .auditor, "Submit a signed source statement", body: .envelope("statement"),
            status: 201),
        Operation(
            "post", "/v1/reviews", .operator, "Submit a signed review of a day", body: .envelope("review"), status: 201),
        Operation("get", "/devices", .viewer, "The devices' page", answer: "text/html"),
        Operation("get", "/devices/fragment", .viewer, "The devices' page's changing part", answer: "text/html"),
        Operation("get", "/devices.js", nil, "The devices' pages' script", answer: "text/javascript"),
        Operation("get", "/devices/new", .viewer, "The form on which a site is registered", answer: "text/html"),
        Operation(
            "post", "/devices/new", .viewer, "The form filled in: a draft to sign, or the form with what is wrong",
            body: .form, answer: "text/html"),
        Operation("post", "/devices/draft", .operator, "Signed copies of a draft, handed in on the page", body: .bytes),
        Operation("get", "/gateways/{gateway}", .viewer, "A gateway's page", answer: "text/html"),
        Operation(
            "get", "/gateways/{gateway}/fragment", .viewer, "A gateway's page's changing part", answer: "text/html"),
        Operation("get", "/v1/devices", .viewer, "Every gateway from registration to first reading", query: page),
        Operation("post", "/v1/devices/{gateway}/unlock", .operator, "Unlock a claim after wrong secrets"),
        Operation(
            "get", "/v1/devices/{gateway}", .operator,
            "A gateway with all that hangs on it, and what its next claim needs"),
        Operation("get", "/v1/devices/{gateway}/configuration", .viewer, "Its last command and what became of it"),
        Operation("post", "/v1/devices/{gateway}/configuration", .operator, "Configure it from afar"),
        Operation(
            "post", "/v1/registrations", .operator, "Register a device, a key, an entity or an organisation",
            body: .envelope("registration"), status: 201),
        Operation(
            "post", "/v1/registrations/check", .operator, "What stands against a draft once it is signed", body: .bytes),
        Operation(
            "post", "/v1/registrations/standing", .operator, "What stands of each thing a draft is about", body: .bytes),
        Operation("get", "/v1/enrolment", .viewer, "What claims are made with"),
        Operation("get", "/v1/entities/{entity}", .viewer, "A facility, its metering points and gateways"),
        Operation("post", "/v1/sources", .auditor, "Keep raw input of a source statement", body: .bytes, status: 201),
        Operation("get", "/v1/windows", .viewer, "Windows, oldest first", query: page),
        Operation("get", "/v1/windows/{window}", .viewer, "A window"),
        Operation("get", "/v1/gateways", .viewer, "Gateways, their streams and last readings", query: page),
        Operation("get", "/v1/house", .viewer, "Mode, asset, clock, grid and parameters"),
        Operation("get", "/house", .viewer, "Epochs and log keys", answer: "application/cbor"),
        Operation(
            "get", "/log/{log}/{epoch}/{path}", .viewer, "Checkpoint, tiles and entries of a log",
            answer: "application/octet-stream"),
        Operation(
            "get", "/records/{log}/{epoch}/{bundle}", .auditor, "What lies beside 256 entries",
            answer: "application/cbor"),
        Operation("get", "/segments/{digest}", .auditor, "A transcript segment", answer: "application/octet-stream"),
        Operation(
            "get", "/sources/{digest}", .auditor, "Raw input of a source statement", answer: "application/octet-stream"),
    ]

    static let document: String = JSON.object([
        ("openapi", .string("3.1.0")),
        (
            "info",
            .object([
                ("title", .string("Kilomint collector")), ("version", .string("0.1.0")),
                (
                    "description",
                    .string(
                        "Energy is an integer in Wh, ratios are ppm, amounts are decimal strings of minor units, instants RFC 3339. Errors are application/problem+json."
                    )
                ),
            ])
        ),
        (
            "components",
            .object([
                (
                    "securitySchemes",
                    .object([("bearer", .object([("type", .string("http")), ("scheme", .string("bearer"))]))])
                ),
                (
                    "responses",
                    .object([
                        (
                            "Problem",
                            .object([
                                ("description", .string("What is wrong and what to do next (RFC 9457)")),
                                (
                                    "content",
                                    .object([("application/problem+json", .object([("schema", problemSchema)]))])
                                ),
                            ])
                        )
                    ])
                ),
            ])
        ),
        ("paths", .object(paths)),
    ]).encoded

    private static let problemSchema = JSON.object([
        ("type", .string("object")),
        ("required", .array(["type", "title", "status", "detail"].map { .string($0) })),
        (
            "properties",
            .object([
                ("type", .object([("type", .string("string"))])), ("title", .object([("type", .string("string"))])),
                ("status", .object([("type", .string("integer"))])), ("detail", .object([("type", .string("string"))])),
                ("code", .object([("type", .string("integer"))])),
            ])
        ),
    ])

    private static var paths: [(String, JSON)] {
        var order: [String] = []
        for operation in operations where !order.contains(operation.path) { order.append(operation.path) }
        return order.map { path in
            (path, .object(operations.filter { $0.path == path }.map { ($0.method, describe($0)) }))
        }
    }

    private static func describe(_ operation: Operation) -> JSON {
        var members: [(String, JSON)] = [("summary", .string(operation.summary))]
        let names = operation.path.split(separator: "/").filter { $0.hasPrefix("{") }.map { $0.dropFirst().dropLast() }
        let parameters = names.map { parameter(String($0), "path") } + operation.query.map { parameter($0, "query") }
        if !parameters.isEmpty { members.append(("parameters", .array(parameters))) }
        if let role = operation.role {
            members.append(("security", .array([.object([("bearer", .array([]))])])))
            members.append(("x-roles", .array(([role] + operation.alternatives).map { .string($0.rawValue) })))
        }
        if let body = body(operation.body) { members.append(("requestBody", body)) }
        members.append(
            (
                "responses",
                .object([
                    (
                        String(operation.status),
                        .object([
                            ("description", .string("Done")), ("content", .object([(operation.answer, .object([]))])),
                        ])
                    ),
                    ("default", .object([("$ref", .string("#/components/responses/Problem"))])),
                ])
            ))
        return .object(members)
    }

    private static func parameter(_ name: String, _ place: String) -> JSON {
        .object([
            ("name", .string(name)), ("in", .string(place)), ("required", .bool(place == "path")),
            ("schema", .object([("type", .string(name == "limit" ? "integer" : "string"))])),
        ])
    }

    private static func body(_ body: Operation.Body) -> JSON? {
        switch body {
        case .none: nil
        case .envelope(let kind):
            .object([
                ("required", .bool(true)),
                (
                    "description",
                    .string(
                        "COSE_Sign1 with content type application/vnd.kilomint.\(kind)+cbor: docs/formats/documents.md")
                ),
                ("content", .object([("application/cbor", .object([]))])),
            ])
        case .bytes:
            .object([("required", .bool(true)), ("content", .object([("application/octet-stream", .object([]))]))])
        case .form:
            .object([
                ("required", .bool(true)),
                ("content", .object([("application/x-www-form-urlencoded", .object([]))])),
            ])
        }
    }
}
