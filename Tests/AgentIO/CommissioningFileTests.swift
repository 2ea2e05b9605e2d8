// The book survives a restart, a crash while it is written, and nonsense in its file.

internal import AgentCore
@testable internal import AgentIO
internal import Evidence
internal import Foundation
internal import Kit
internal import Proofs
internal import Quantities
internal import Testing

struct CommissioningFileTests {
    private let meter = Identifier("m-1")!
    private let read = RegisterSeen.Read(wattHours: 7, uptime: 8, function: 3, address: 9, words: [0, 1, 0xFF, 0xFF])

    private func entry(_ reason: String?) -> CommissioningBook.Entry {
        CommissioningBook.Entry(
            meter: meter, serial: "12 34=%;,\u{E9}", profile: Digest(of: [1]),
            by: Signatory(user: "ann (uid 5)", name: "Ann O'Neill; 2nd, floor"), at: UTCInstant(milliseconds: 5),
            registers: [RegisterSeen(obis: "1-0:2.8.0", typedWattHours: 6, read: read)], accepted: reason)
    }

    @Test(arguments: [nil, "the display = broken, 50 %"])
    func whatIsWrittenIsReadAgain(reason: String?) throws {
        let place = try TemporaryDirectory()
        let file = CommissioningFile(folder: place.path)
        #expect(file.now == CommissioningBook())
        let farewell = CommissioningBook.Farewell(
            meter: Identifier("m-2")!, serial: "",
            last: [RegisterSeen(obis: "1-0:1.8.0", typedWattHours: 1, read: nil)],
            at: UTCInstant(milliseconds: 6))
        try file.change { book in
            book.record(entry(reason))
            book.record(farewell)
        }
        #expect(CommissioningFile(folder: place.path).now == file.now)
        #expect(file.now.entry(meter) == entry(reason) && file.now.farewell(farewell.meter) == farewell)
        try file.change { $0.exchanged(meter) }
        #expect(CommissioningFile(folder: place.path).now.entry(meter) == nil)
    }

    @Test func halfAFileIsHalfABook() throws {
        let place = try TemporaryDirectory()
        let file = CommissioningFile(folder: place.path)
        try file.change { $0.record(entry(nil)) }
        let url = URL(fileURLWithPath: place.path + "/commissioned")
        let whole = try Data(contentsOf: url)
        for count in 0..<whole.count - 1 {
            try whole.prefix(count).write(to: url)
            let standing = CommissioningFile(folder: place.path).now.standing(
                of: meter, profile: Digest(of: [1]), serial: "")
            // A line that lost its end may still hold all it needs; it never says more than was written.
            if standing.isDone { #expect(count > whole.count - 20) }
        }
        try Data("nonsense\n\u{FF}\ncommissioned meter=m-1\n".utf8).write(to: url)
        #expect(CommissioningFile(folder: place.path).now == CommissioningBook())
        // A crash before the rename leaves the new file beside the old one: it is not read.
        try Data().write(to: URL(fileURLWithPath: place.path + "/commissioned.new"))
        try file.change { $0.record(entry(nil)) }
        #expect(CommissioningFile(folder: place.path).now.entry(meter) != nil)
    }

    /// A disk that takes nothing: the person is told, and the next write brings it.
    @Test func refusedWriteIsTold() throws {
        let place = try TemporaryDirectory()
        let file = CommissioningFile(folder: place.path + "/later")
        #expect(throws: SystemError.self) { try file.change { $0.record(entry(nil)) } }
        try FileManager.default.createDirectory(atPath: place.path + "/later", withIntermediateDirectories: false)
        try file.change { _ in }
        #expect(CommissioningFile(folder: place.path + "/later").now.entry(meter) != nil)
    }
}
