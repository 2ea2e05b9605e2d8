// The book of commissioned meters as a file beside the spool: lines of the control socket's form, replaced as a whole. The
// signed notes in the spool are the proof; a lost file costs a person another look at the displays, nothing else.

package import AgentCore
internal import Evidence
internal import Proofs
internal import Quantities
internal import Synchronization

/// The file and the book in it; several threads may ask.
package final class CommissioningFile: Sendable {
    /// Bytes: 2 000 meters with eight registers each.
    private static let bytesMax = 4_194_304

    private let path: String
    private let book: Mutex<CommissioningBook>

    /// What stands there; nothing where there is no file. A line that is not understood is left out: the meter then counts
    /// as not commissioned.
    package init(folder: String) {
        path = folder + "/commissioned"
        var book = CommissioningBook()
        let bytes: [UInt8]
        // No file yet, or one that cannot be read: nobody has commissioned anything as far as we know.
        do throws(SystemError) { bytes = try SmallFile.bytes(path, max: Self.bytesMax) } catch { bytes = [] }
        for line in bytes.split(separator: 0x0A) {
            do throws(ControlRefusal) { book.take(try ControlRequest(parsing: line)) } catch { continue }
        }
        self.book = Mutex(book)
    }

    package var now: CommissioningBook { book.withLock { $0 } }

    /// Changes the book and writes it. A crash before the rename leaves the old book: the note is signed all the same.
    func change(_ body: (inout CommissioningBook) -> Void) throws(SystemError) {
        let lines = book.withLock { book in
            body(&book)
            return book.lines
        }
        try SmallFile.replace(path, with: Array(lines.map { $0 + "\n" }.joined().utf8))
    }
}

extension CommissioningBook {
    fileprivate var lines: [String] {
        entries.map { entry in
            var values = [
                "meter": entry.meter.text, "serial": entry.serial, "profile": entry.profile.description,
                "user": entry.by.user, "name": entry.by.name, "at": String(entry.at.milliseconds),
                "registers": Self.text(entry.registers),
            ]
            values["accepted"] = entry.accepted
            return ControlRequest("commissioned", values).line
        }
            + farewells.map { farewell in
                ControlRequest(
                    "farewell",
                    [
                        "meter": farewell.meter.text, "serial": farewell.serial,
                        "at": String(farewell.at.milliseconds), "registers": Self.text(farewell.last),
                    ]
                ).line
            }
    }

    fileprivate mutating func take(_ line: ControlRequest) {
        guard let meter = line.optional("meter").flatMap({ Identifier($0) }), let serial = line.optional("serial"),
            let at = line.optional("at").flatMap({ Int64($0) }), let text = line.optional("registers"),
            let registers = Self.registers(text)
        else { return }
        let instant = UTCInstant(milliseconds: at)
        if line.verb == "farewell" {
            return record(Farewell(meter: meter, serial: serial, last: registers, at: instant))
        }
        guard line.verb == "commissioned", let user = line.optional("user"), let name = line.optional("name"),
            let profile = line.optional("profile").flatMap({ [UInt8](hex: $0) }).flatMap({ Digest($0) })
        else { return }
        record(
            Entry(
                meter: meter, serial: serial, profile: profile, by: Signatory(user: user, name: name), at: instant,
                registers: registers, accepted: line.optional("accepted")))
    }

    /// `OBIS,typed or -,read or -,uptime,function,address,words` separated by `;`.
    private static func text(_ registers: [RegisterSeen]) -> String {
        registers.map { seen in
            let typed = seen.typedWattHours.map { String($0) } ?? "-"
            guard let read = seen.read else { return "\(seen.obis),\(typed),-" }
            return "\(seen.obis),\(typed),\(read.wattHours),\(read.uptime),\(read.function),\(read.address),"
                + read.words.hex
        }.joined(separator: ";")
    }

    private static func registers(_ text: String) -> [RegisterSeen]? {
        var registers: [RegisterSeen] = []
        for part in text.split(separator: ";") {
            let words = part.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            guard words.count == 3 || words.count == 7, registers.count < Commissioning.registersMax else { return nil }
            var read: RegisterSeen.Read?
            if words.count == 7 {
                guard let value = UInt64(words[2]), let uptime = UInt64(words[3]), let function = UInt64(words[4]),
                    let address = UInt64(words[5]), let bytes = [UInt8](hex: words[6])
                else { return nil }
                read = RegisterSeen.Read(
                    wattHours: value, uptime: uptime, function: function, address: address, words: bytes)
            }
            let typed = words[1] == "-" ? nil : UInt64(words[1])
            guard typed != nil || read != nil else { return nil }
            registers.append(RegisterSeen(obis: words[0], typedWattHours: typed, read: read))
        }
        return registers
    }
}
