// The lines of the verb `watch` as a table for a terminal of any size, or as plain lines. Makes text; shows nothing.

internal import Evidence

package struct WatchTable {
    private struct Row {
        var meter: String
        var fields: ControlRequest?
        var note: String?
    }

    private var head = ControlRequest("agent")
    private var rows: [Row] = []
    private var meter = ""

    package init() {}

    /// Takes a line.
    ///
    /// - Returns: whether it was the last of a frame.
    package mutating func take(_ line: String) -> Bool {
        let fields: ControlRequest
        do { fields = try ControlRequest(parsing: Array(line.utf8)) } catch {
            rows.append(Row(meter: "", note: line))
            return false
        }
        switch fields.verb {
        case "agent":
            head = fields
            rows = []
        case "bus":
            let problem = fields.optional("problem") ?? ""
            let load = "bus \(fields.optional("endpoint") ?? ""), \(fields.optional("load") ?? "0") % busy"
            rows.append(Row(meter: "", note: problem.isEmpty ? load : "\(load): NOT OPEN, \(problem)"))
        case "meter":
            meter = fields.optional("id") ?? ""
            rows.append(Row(meter: meter, note: "no answer yet"))
        case "value":
            // The first value takes the place of the meter's own row.
            let isFirst = rows.last?.note == "no answer yet"
            if isFirst { rows.removeLast() }
            rows.append(Row(meter: isFirst ? meter : "", fields: fields))
        default: return fields.verb == "end"
        }
        return false
    }

    // MARK: Terminal

    /// - Parameters:
    ///   - time: of the frame, as it shall be shown.
    ///   - columns: of the terminal, at least 20.
    ///   - lines: of the terminal; what does not fit is counted in the last one.
    package func screen(time: String, columns: Int, lines: Int) -> [String] {
        let columns = max(20, columns)
        let form = Form(meter: min(16, rows.map(\.meter.count).max() ?? 0), isNarrow: columns < 80)
        var screen = [Self.fit(title(time), columns), Self.fit(form.header, columns)]
        let room = max(1, lines - screen.count)
        let shown = rows.count > room ? room - 1 : rows.count
        for row in rows.prefix(shown) {
            let note = row.meter.isEmpty ? row.note ?? "" : form.meter(row.meter) + (row.note ?? "")
            screen.append(Self.fit(row.fields.map { form.line(meter: row.meter, $0) } ?? note, columns))
        }
        if shown < rows.count {
            screen.append(Self.fit("… \(rows.count - shown) more lines: --meter ID chooses", columns))
        }
        return screen
    }

    private func title(_ time: String) -> String {
        let uplink = head.optional("connected") == "true" ? "connected" : "NOT CONNECTED"
        return
            "\(head.optional("gateway") ?? "")  \(time)  \(uplink), \(head.optional("unreceipted") ?? "0") unreceipted, "
            + "spool \(head.optional("spool") ?? "0") %  (Ctrl-C ends)"
    }

    /// How wide the columns are. A terminal of less than 80 has the meters' column as wide as its names, no time taken, and
    /// why there is no value in the value's own place, or an old one in brackets: the last column may not be seen.
    private struct Form {
        let meterWidth: Int
        let isNarrow: Bool

        init(meter: Int, isNarrow: Bool) {
            meterWidth = isNarrow ? max(5, meter) : 16
            self.isNarrow = isNarrow
        }

        var header: String { row("METER", "QUANTITY", "VALUE", "UNIT", "AGE", "ANSWER", "STATUS") }

        func meter(_ text: String) -> String { padded(text, meterWidth) + " " }

        func line(meter: String, _ fields: ControlRequest) -> String {
            let status = UInt64(fields.optional("status") ?? "") ?? 0
            // What does not answer keeps the value it had, at that value's age.
            let age = (Int64(fields.optional("held_age") ?? fields.optional("age") ?? "") ?? 0) / 1_000
            var value = fields.optional("held") ?? fields.optional("value") ?? ""
            let isNone = value.hasPrefix("not available")
            let words =
                status == SampleStatus.good && isNone ? String(value.dropFirst(15).dropLast()) : word(status)
            if isNone { value = "—" }
            if isNarrow, isNone || value.isEmpty { value = words }
            if isNarrow, status != SampleStatus.good, value != words { value = "(\(value))" }
            return row(
                meter, fields.optional("obis") ?? "", value, fields.optional("unit") ?? "", ageText(age),
                "\(fields.optional("took") ?? "0") ms", words)
        }

        private func row(
            _ meter: String, _ obis: String, _ value: String, _ unit: String, _ age: String, _ took: String,
            _ status: String
        ) -> String {
            self.meter(meter) + padded(obis, 12) + padded(value, 15, isRight: true) + " " + padded(unit, 5)
                + padded(age, 6, isRight: true) + (isNarrow ? "" : padded(took, 9, isRight: true)) + " " + status
        }
    }

    /// `59 s`, `3 min`, `2 h`.
    private static func ageText(_ seconds: Int64) -> String {
        seconds < 60 ? "\(seconds) s" : seconds < 3_600 ? "\(seconds / 60) min" : "\(seconds / 3_600) h"
    }

    /// Of a sample's status.
    static func word(_ status: UInt64) -> String {
        switch status {
        case SampleStatus.good: "good"
        case SampleStatus.timeout: "no answer"
        case SampleStatus.checksum: "checksum"
        case SampleStatus.wrongAnswer: "wrong answer"
        case SampleStatus.disconnected: "disconnected"
        case SampleStatus.connectFailed: "not open"
        case 1...SampleStatus.exceptionMax: "exception \(status)"
        default: "failed (\(status))"
        }
    }

    private static func padded(_ text: String, _ width: Int, isRight: Bool = false) -> String {
        let rest = String(repeating: " ", count: max(0, width - text.count))
        return isRight ? rest + text : text + rest
    }

    private static func fit(_ text: String, _ columns: Int) -> String {
        text.count <= columns ? text : String(text.prefix(columns - 1)) + "…"
    }

    // MARK: Plain

    /// One line a value, for a file or a pipe.
    package func plain(time: String) -> [String] {
        var meter = ""
        return rows.compactMap { row in
            if !row.meter.isEmpty { meter = row.meter }
            guard let fields = row.fields else {
                return row.note.map { "\(time) \(row.meter.isEmpty ? "" : row.meter + " ")\($0)" }
            }
            let status = Self.word(UInt64(fields.optional("status") ?? "") ?? 0)
            let line = "\(time) \(meter) \(fields.optional("obis") ?? "") "
            guard let held = fields.optional("held") else {
                return line + "\(fields.optional("value") ?? "") \(fields.optional("unit") ?? "") "
                    + "age \(fields.optional("age") ?? "0") ms, \(status)"
            }
            return line + "\(status); was \(held) \(fields.optional("unit") ?? "") "
                + "\(fields.optional("held_age") ?? "0") ms ago"
        }
    }
}
