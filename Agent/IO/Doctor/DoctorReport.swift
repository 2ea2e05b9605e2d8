// Findings as lines of 80 columns for the person on the ladder, as JSON for programs, and as lines on the control socket.

package import AgentCore
internal import Quantities

/// What the doctor says.
package struct DoctorReport: Sendable {
    /// Characters of a line: the narrowest terminal there is.
    static let width = 80

    package let gateway: String
    package let findings: [Finding]
    /// What was looked at, a few words each.
    package let looked: [String]
    package let notLooked: [NotLookedAt]
    package let isAgentRunning: Bool

    package init(
        gateway: String, findings: [Finding], looked: [String], notLooked: [NotLookedAt] = [], isAgentRunning: Bool
    ) {
        self.gateway = gateway
        self.findings = findings.ordered
        self.looked = looked
        self.notLooked = notLooked
        self.isAgentRunning = isAgentRunning
    }

    /// Notes are none.
    package var faults: Int { findings.count(where: \.isFault) }

    package var text: String {
        var lines = ["doctor, gateway \(gateway)", ""]
        for finding in findings {
            let mark = finding.severity.name.uppercased()
            let head = mark + String(repeating: " ", count: max(1, 9 - mark.count)) + finding.id.name
            let room = Self.width - head.count - finding.id.rawValue.count - 2
            lines.append(head + String(repeating: " ", count: max(1, room)) + "[\(finding.id.rawValue)]")
            if !finding.subject.isEmpty { lines += Self.wrapped("where", finding.subject) }
            lines += Self.wrapped("seen", finding.evidence)
            lines += Self.wrapped("do", finding.remedy) + [""]
        }
        lines += Self.wrapped("", "Looked at: " + looked.joined(separator: ", ") + ".", indent: 0)
        for rest in notLooked {
            lines += Self.wrapped("", "not looked at: \(rest.what) — because \(rest.why)", indent: 0)
        }
        lines.append(summary)
        return lines.joined(separator: "\n")
    }

    private var summary: String {
        let counts = [FindingSeverity.problem, .warning, .hint].compactMap { severity -> String? in
            let count = findings.count { $0.severity == severity }
            return count == 0 ? nil : "\(count) \(severity.name)\(count == 1 ? "" : "s")"
        }
        let none = notLooked.isEmpty ? "Nothing is wrong." : "Nothing is wrong with what was looked at."
        return counts.isEmpty ? none : counts.joined(separator: ", ") + "."
    }

    /// Lines of at most ``width`` characters, broken between words.
    static func wrapped(_ label: String, _ text: String, indent: Int = 9) -> [String] {
        let room = width - indent
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ", omittingEmptySubsequences: true) {
            if !line.isEmpty, line.count + 1 + word.count > room {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        lines.append(line)
        let first = "  " + label
        return lines.enumerated().map { number, line in
            let head = number == 0 && !label.isEmpty ? first : ""
            return head + String(repeating: " ", count: max(0, indent - head.count)) + line
        }
    }

    /// One JSON object.
    package var json: String {
        let list = findings.map { finding in
            let fields = [
                ("id", finding.id.rawValue), ("severity", finding.severity.name), ("name", finding.id.name),
                ("subject", finding.subject), ("evidence", finding.evidence), ("remedy", finding.remedy),
            ]
            return "{" + fields.map { "\"\($0)\":\(StatusBoard.quoted($1))" }.joined(separator: ",") + "}"
        }
        let rest = notLooked.map {
            "{\"what\":\(StatusBoard.quoted($0.what)),\"because\":\(StatusBoard.quoted($0.why))}"
        }
        return "{\"gateway\":\(StatusBoard.quoted(gateway)),\"agent_running\":\(isAgentRunning),\"faults\":\(faults),"
            + "\"looked_at\":[\(looked.map(StatusBoard.quoted).joined(separator: ","))],"
            + "\"not_looked_at\":[\(rest.joined(separator: ","))],"
            + "\"findings\":[\(list.joined(separator: ","))]}"
    }
}

extension Finding {
    /// As the running agent tells it on the control socket.
    var request: ControlRequest {
        ControlRequest(
            "finding", ["id": id.rawValue, "subject": subject, "evidence": evidence, "remedy": remedy])
    }

    /// Nil for another line, or a finding that this version does not know.
    init?(_ request: ControlRequest) {
        guard request.verb == "finding", let id = request.optional("id").flatMap(FindingID.init(rawValue:)),
            let subject = request.optional("subject"), let evidence = request.optional("evidence"),
            let remedy = request.optional("remedy")
        else { return nil }
        self.init(id, subject, evidence, remedy: remedy)
    }
}

extension NotLookedAt {
    var request: ControlRequest { ControlRequest("skipped", ["what": what, "because": why]) }

    /// Nil for another line.
    init?(_ request: ControlRequest) {
        guard request.verb == "skipped", let what = request.optional("what"), let why = request.optional("because")
        else { return nil }
        self.init(what, because: why)
    }
}
