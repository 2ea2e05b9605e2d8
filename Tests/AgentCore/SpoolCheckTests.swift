// What verifying a spool finds: each way in which a stored record is not what was signed.

internal import AgentCore
internal import Evidence
internal import Proofs
internal import Quantities
internal import Testing

struct SpoolCheckTests {
    private let stream = StreamID([1, 2, 3, 4, 5, 6, 7, 8])!
    private let gateway = Identifier("gw-1")!

    private func sign(_ payload: [UInt8]) -> SignedMessage {
        SignedMessage.signing(
            payload, as: .record, algorithm: .es256, kid: [UInt8](repeating: 7, count: 8),
            with: { _ in [UInt8](repeating: 1, count: 64) })
    }

    /// A chain of readings.
    private func rows(_ count: Int) -> [SpoolCheck.Row] {
        var chain = Chain(gateway: gateway, stream: stream)
        let clock = RecordClock(
            sync: 2, errorMilliseconds: 1, boot: [UInt8](repeating: 1, count: 16), uptimeMilliseconds: 1,
            utc: UTCInstant(milliseconds: 1))
        return (0..<count).map { index in
            let body = RecordBody.readings(Readings(base: UInt64(index), samples: []))
            let record = chain.append(body, clock: clock, completeThrough: UInt64(index), sign: sign)
            return SpoolCheck.Row(
                stream: stream, first: record.sequence, through: record.through, kind: record.kind, link: record.link,
                envelope: record.envelope)
        }
    }

    private func findings(_ rows: [SpoolCheck.Row], gateway: Identifier? = nil, isSigned: Bool = true) -> [String] {
        var check = SpoolCheck(gateway: gateway)
        for row in rows { check.take(row) { _ in isSigned } }
        return check.findings.map { "\($0.sequence) \($0.words)" }
    }

    private func changed(
        _ row: SpoolCheck.Row, first: UInt64? = nil, kind: RecordKind? = nil, link: Digest? = nil,
        envelope: [UInt8]?? = nil, stream: StreamID? = nil
    ) -> SpoolCheck.Row {
        SpoolCheck.Row(
            stream: stream ?? row.stream, first: first ?? row.first, through: first ?? row.through,
            kind: kind ?? row.kind, link: link ?? row.link, envelope: envelope ?? row.envelope)
    }

    @Test func aSoundChainHasNoFindings() {
        #expect(findings(rows(5), gateway: gateway) == [])
        // The beginning may be gone, and so may a range whose end is known.
        #expect(findings(Array(rows(5).dropFirst(2))) == [])
        var gone = rows(5)
        gone[2] = changed(gone[2], envelope: .some(nil))
        #expect(findings(gone) == [])
    }

    /// A key record changes who must sign; every signature here is "known".
    @Test func keyRecordsAreFollowed() {
        let (first, second) = ([UInt8](repeating: 7, count: 8), Array(Digest(of: [1, 2, 3]).bytes.prefix(8)))
        func chain(_ kids: [[UInt8]]) -> [SpoolCheck.Row] {
            var chain = Chain(gateway: gateway, stream: stream)
            let clock = RecordClock(
                sync: 2, errorMilliseconds: 1, boot: [UInt8](repeating: 1, count: 16), uptimeMilliseconds: 1,
                utc: UTCInstant(milliseconds: 1))
            return kids.enumerated().map { index, kid in
                let body: RecordBody =
                    index == 1 ? .key([1, 2, 3]) : .readings(Readings(base: UInt64(index), samples: []))
                let record = chain.append(body, clock: clock, completeThrough: UInt64(index)) { payload in
                    SignedMessage.signing(
                        payload, as: .record, algorithm: .es256, kid: kid,
                        with: { _ in [UInt8](repeating: 1, count: 64) })
                }
                return SpoolCheck.Row(
                    stream: stream, first: record.sequence, through: record.through, kind: record.kind,
                    link: record.link, envelope: record.envelope)
            }
        }
        #expect(findings(chain([first, first, second, second])) == [])
        let words = "is signed by another key than the one in force"
        #expect(findings(chain([first, first, first, second])) == ["3 \(words)"])
        #expect(findings(chain([first, second, second, second])) == ["2 \(words)", "3 \(words)", "4 \(words)"])
    }

    @Test func eachFaultIsNamedWithItsRecord() throws {
        let sound = rows(4)
        let other = Identifier("gw-2")!
        #expect(findings(sound, gateway: other).first == "1 is gateway gw-1's")
        #expect(findings(sound, isSigned: false).count == 4)
        #expect(findings([sound[0], sound[2], sound[3]]) == ["3 follows 1: records between them are missing"])
        var rows = sound
        rows[1] = changed(rows[1], kind: .note)
        #expect(findings(rows) == ["2 is of another kind than its row says"])
        rows = sound
        rows[1] = changed(rows[1], link: Digest(of: [1]))
        #expect(findings(rows) == ["2 has another hash than its row", "3 does not name the record before it"])
        rows = sound
        rows[2] = changed(rows[2], envelope: .some(sound[1].envelope))
        #expect(findings(rows).first == "3 says it is record 2 of stream 0102030405060708")
        for index in sound[1].envelope!.indices {
            // Nothing stands in an envelope that is not looked at; the signature itself is the key's matter.
            var bytes = sound[1].envelope!
            bytes[index] ^= 0x40
            rows = sound
            rows[1] = changed(rows[1], envelope: .some(bytes))
            let isInSignature = index >= bytes.count - 64
            #expect(isInSignature || !findings(rows).isEmpty, "byte \(index)")
        }
        rows = sound
        rows[3] = changed(rows[3], envelope: .some([]))
        #expect(findings(rows).first?.hasPrefix("4 is no signed record") == true)
    }

    @Test func findingsAreBounded() {
        var check = SpoolCheck(gateway: nil)
        for number in 0..<5_000 { check.damaged(stream: nil, sequence: UInt64(number), "x") }
        #expect(check.findings.count == SpoolCheck.findingsMax && check.found == 5_000)
    }
}
