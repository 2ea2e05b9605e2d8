// What follows from a receipt and from a refusal.

internal import AgentCore
internal import Evidence
internal import Proofs
internal import Quantities
internal import Testing

struct ReceiptJudgementTests {
    private let gateway = Identifier("gw-1")!
    private let stream = StreamID([UInt8](repeating: 1, count: 8))!
    private func digest(_ byte: UInt8) -> Digest { Digest(of: [byte]) }

    private func receipt(_ through: UInt64, _ identity: Digest, ended: String? = nil) -> Receipt {
        var receipt = Receipt(
            gateway: gateway, stream: stream, durableThrough: through, identity: identity,
            receivedAt: UTCInstant(milliseconds: 0), logOrigin: "t", leafIndex: 0, devicesSynced: 1,
            versionsAccepted: [1])
        receipt.ended = ended.map { (through, $0) }
        return receipt
    }

    private func judged(_ receipt: Receipt, held: UInt64, own: OwnRecord?, stream other: StreamID? = nil)
        -> ReceiptVerdict
    {
        receipt.judged(
            chain: Chain(gateway: gateway, stream: other ?? stream, head: 20, link: digest(20)), held: held, own: own)
    }

    @Test func verdicts() {
        let own = OwnRecord(first: 5, through: 5, link: digest(5))
        #expect(judged(receipt(5, digest(5)), held: 0, own: own) == .holds(through: 5))
        #expect(judged(receipt(5, digest(5)), held: 5, own: own) == .holds(through: 5))
        #expect(judged(receipt(5, digest(5)), held: 6, own: own) == .wentBack(through: 5, held: 6))
        #expect(judged(receipt(5, digest(6)), held: 0, own: own) == .ignored(.otherIdentity))
        #expect(judged(receipt(0, .zero), held: 0, own: nil) == .holds(through: 0))
        #expect(judged(receipt(0, .zero), held: 3, own: nil) == .wentBack(through: 0, held: 3))
        #expect(judged(receipt(0, digest(1)), held: 3, own: nil) == .ignored(.otherIdentity))
        // Our beginning was lost with damaged pages: the signature vouches.
        #expect(judged(receipt(5, digest(9)), held: 0, own: nil) == .holds(through: 5))
    }

    @Test func skipsAreReceiptedByTheirEnd() {
        let skip = OwnRecord(first: 5, through: 9, link: digest(9))
        #expect(judged(receipt(9, digest(9)), held: 4, own: skip) == .holds(through: 9))
        #expect(judged(receipt(7, digest(7)), held: 4, own: skip) == .ignored(.insideForgotten))
        // Receipted to its end before: the collector was set back into it.
        #expect(judged(receipt(7, digest(7)), held: 12, own: skip) == .wentBack(through: 4, held: 12))
        // While the skip is on its way the same is said again.
        #expect(judged(receipt(7, digest(7)), held: 7, own: skip) == .ignored(.insideForgotten))
    }

    @Test func anotherStreamOrAnEnd() {
        let own = OwnRecord(first: 5, through: 5, link: digest(5))
        let other = StreamID([UInt8](repeating: 2, count: 8))!
        #expect(judged(receipt(5, digest(5)), held: 0, own: own, stream: other) == .ignored(.otherStream))
        #expect(judged(receipt(5, digest(5), ended: "x"), held: 0, own: own) == .newStream(lastKnown: 20, reason: "x"))
        #expect(judged(receipt(5, digest(5), ended: "x"), held: 0, own: own, stream: other) == .ignored(.otherStream))
        guard case .newStream(21, _) = judged(receipt(21, digest(1)), held: 20, own: nil) else {
            return #expect(Bool(false), "a receipt above the head opens a new stream")
        }
    }

    @Test(arguments: RefusalCode.allCases.map(\.rawValue) + [0, 99])
    func refusals(code: UInt64) {
        let refusal = Receipt.Refusal(sequence: 1, code: code)
        #expect(refusal.answered(isSound: false) == .replace)
        let waits: [RefusalCode?] = [
            .unknownGateway, .unknownKey, .revokedKey, .forked, .streamEnded, .supersededKey, nil,
        ]
        #expect(refusal.answered(isSound: true) == (waits.contains(RefusalCode(rawValue: code)) ? .wait : .resend))
    }

    @Test func onlyReceiptKeysInForceCount() {
        func entry(_ byte: UInt8, _ role: KeyRole, _ from: Int64, _ to: Int64) -> KeyList.Entry {
            KeyList.Entry(
                spki: [byte], role: role, validFrom: UTCInstant(milliseconds: from),
                validTo: UTCInstant(milliseconds: to))
        }
        let list = KeyList(
            number: 1, issuedAt: UTCInstant(milliseconds: 0),
            entries: [entry(1, .receipt, 0, 10), entry(2, .receipt, 10, 20), entry(3, .command, 0, 20)])
        for (now, keys) in [(Int64(-1), []), (0, [1]), (9, [1]), (10, [2]), (19, [2]), (20, [])] as [(Int64, [UInt8])] {
            #expect(list.receiptKeys(at: UTCInstant(milliseconds: now)) == keys.map { [$0] })
        }
    }
}
