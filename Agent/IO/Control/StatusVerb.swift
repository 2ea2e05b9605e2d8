// The verb `status`: how the agent is, as text for people or as one JSON object.

extension ControlVerb {
    static let status = ControlVerb("status", keys: ["format"]) { request, caller, context in
        guard let board = context.board else { throw ControlRefusal("no agent runs") }
        switch request.optional("format") ?? "text" {
        case "json": try caller.line(board.json.last == "\n" ? String(board.json.dropLast()) : board.json)
        case "text":
            for line in board.text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
                try caller.line(String(line))
            }
        case let other: throw ControlRefusal("status: format is \(other); allowed: json, text")
        }
    }
}
