// Go-back-N on signed receipts, by table and against a model collector behind a link that loses, doubles and reorders.

internal import AgentCore
internal import Kit
internal import Testing

struct UplinkWindowTests {
    private func window(_ change: (inout UplinkWindow.Limits) -> Void = { _ in }) -> UplinkWindow {
        var limits = UplinkWindow.Limits()
        limits.recordsMax = 4
        limits.resendAfter = 1_000
        limits.resendAfterMax = 8_000
        change(&limits)
        return UplinkWindow(limits: limits, receipted: 0, now: 0)
    }

    /// Sends all the window takes; returns the numbers.
    private func send(_ window: inout UplinkWindow, head: UInt64, now: Int64, bytes: Int = 100) -> [UInt64] {
        var sent: [UInt64] = []
        while window.maySend(head: head, now: now) {
            sent.append(window.next)
            window.sent(through: window.next, bytes: bytes, now: now, jitter: 0)
        }
        return sent
    }

    @Test func nothingIsSentUnconnected() {
        var window = window()
        #expect(send(&window, head: 9, now: 0) == [])
        #expect(window.wakeAt(head: 9) == nil)
        window.connected(now: 0)
        #expect(send(&window, head: 9, now: 0) == [1, 2, 3, 4])
        window.disconnected()
        #expect(send(&window, head: 9, now: 0) == [])
    }

    @Test func receiptsMoveTheWindow() {
        var window = window()
        window.connected(now: 0)
        _ = send(&window, head: 9, now: 0)
        window.receipt(through: 2, now: 10, jitter: 0)
        #expect(send(&window, head: 9, now: 10) == [5, 6])
        // A receipt for less than what is held twice is nothing new; one for more than was sent skips ahead.
        window.receipt(through: 2, now: 11, jitter: 0)
        #expect(send(&window, head: 9, now: 11) == [])
        window.receipt(through: 8, now: 12, jitter: 0)
        #expect(send(&window, head: 9, now: 12) == [9])
        #expect(window.receipted == 8)
    }

    @Test func withoutReceiptEverythingComesAgainLaterEachTime() {
        var window = window()
        window.connected(now: 0)
        _ = send(&window, head: 2, now: 0)
        var now: Int64 = 0
        for wait in [1_000, 2_000, 4_000, 8_000, 8_000] as [Int64] {
            let early = window.tick(now: now + wait - 1)
            #expect(!early)
            #expect(window.wakeAt(head: 2) == now + wait)
            let late = window.tick(now: now + wait)
            #expect(late)
            now += wait
            #expect(send(&window, head: 2, now: now) == [1, 2])
        }
        #expect(window.timeouts == 5)
        window.receipt(through: 1, now: now, jitter: 0)
        #expect(window.wakeAt(head: 2) == now + 1_000)
    }

    /// Screens want 16 KiB each second, records all there is: both go on, within the bytes a second that they share.
    @Test(arguments: [(1_024, 600), (8_192, 600), (262_144, 30)] as [(Int64, Int64)])
    func screensGoFirstAndRecordsKeepThreeQuarters(rate: Int64, seconds: Int64) {
        var window = window {
            $0.recordsMax = .max
            $0.bytesMax = .max
            $0.resendAfter = 1 << 40
            $0.bytesPerSecondMax = rate
        }
        let unconnected = window.mayShow(now: 0)
        #expect(!unconnected)
        window.connected(now: 0)
        let shownBytes = 16_384
        var (nextAt, shown, sent) = (0 as Int64, 0 as Int64, 0 as Int64)
        for now in stride(from: 0, to: seconds * 1_000, by: 20) {
            if now >= nextAt, window.mayShow(now: now) {
                nextAt = now + max(1_000, window.shown(bytes: shownBytes))
                shown += Int64(shownBytes)
            }
            sent += Int64(send(&window, head: .max, now: now, bytes: 700).count * 700)
        }
        let all = rate * seconds
        #expect(shown + sent <= all + rate + Int64(shownBytes) + 700)
        // Parts of a byte are lost each time the allowance is looked at.
        #expect(sent >= all * 3 / 4 - all / 40 - Int64(shownBytes))
        // As often as a quarter pays for, and each second where it pays for more.
        let wanted = min(seconds, all / 4 / Int64(shownBytes))
        #expect(shown / Int64(shownBytes) >= wanted * 9 / 10)
    }

    @Test func jitterAddsUpToAQuarter() {
        for jitter in [0, 1, 250, 251, UInt64.max] {
            var window = window()
            window.connected(now: 0)
            window.sent(through: 1, bytes: 1, now: 0, jitter: jitter)
            #expect((1_000...1_250).contains(window.wakeAt(head: 1) ?? 0))
        }
    }

    @Test func resendFromIsObeyedOnceASecond() {
        var window = window()
        window.connected(now: 0)
        _ = send(&window, head: 9, now: 0)
        window.goBack(to: 2, now: 100)
        #expect(send(&window, head: 9, now: 100) == [2, 3, 4, 5])
        window.goBack(to: 2, now: 200)
        #expect(send(&window, head: 9, now: 200) == [])
        window.goBack(to: 2, now: 1_100)
        #expect(send(&window, head: 9, now: 1_100) == [2, 3, 4, 5])
        // Never forward, never before the first.
        window.goBack(to: 9, now: 5_000)
        window.goBack(to: 0, now: 5_000)
        #expect(send(&window, head: 9, now: 5_000) == [])
    }

    @Test func restoredCollectorTakesTheWindowBack() {
        var window = window()
        window.connected(now: 0)
        _ = send(&window, head: 9, now: 0)
        window.receipt(through: 4, now: 1, jitter: 0)
        window.receipt(through: 1, now: 2, jitter: 0)
        #expect(window.receipted == 1)
        #expect(send(&window, head: 9, now: 2) == [2, 3, 4, 5])
        #expect(window.sentThrough == 5)
    }

    @Test func bytesUnderWayAndBytesASecondAreBounded() {
        var window = window {
            $0.recordsMax = 100
            $0.bytesMax = 500
            $0.bytesPerSecondMax = 1_000
        }
        window.connected(now: 0)
        #expect(send(&window, head: 99, now: 0).count == 5)
        window.receipt(through: 5, now: 0, jitter: 0)
        #expect(send(&window, head: 99, now: 0).count == 5)
        window.receipt(through: 10, now: 0, jitter: 0)
        // The second's worth is used up: 100 bytes need 100 ms.
        #expect(send(&window, head: 99, now: 0).count == 0)
        #expect(window.wakeAt(head: 99) == 1)
        #expect(send(&window, head: 99, now: 100).count == 1)
    }

    /// A model collector that takes what is next, behind links that lose, double and delay in both directions.
    @Test(arguments: 0..<40)
    func nothingIsLostNorSkippedNorOutOfOrder(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        var window = window { $0.resendAfter = 500 }
        var head: UInt64 = 0
        var taken: UInt64 = 0
        var up: [(at: Int64, sequence: UInt64)] = []
        var down: [(at: Int64, through: UInt64, resendFrom: UInt64?)] = []
        var now: Int64 = 0
        let loss = Int.random(in: 0...60, using: &random)
        while now < 400_000 {
            now += 10
            if head < 300, Int.random(in: 0..<3, using: &random) == 0 { head += 1 }
            if Int.random(in: 0..<2_000, using: &random) == 0 { window.disconnected() }
            if !window.isConnected, Int.random(in: 0..<50, using: &random) == 0 { window.connected(now: now) }
            _ = window.tick(now: now)
            while window.maySend(head: head, now: now) {
                let sequence = window.next
                for _ in 0..<Int.random(in: 1...2, using: &random)
                where Int.random(in: 0..<100, using: &random) >= loss {
                    up.append((now + Int64.random(in: 10...300, using: &random), sequence))
                }
                window.sent(through: sequence, bytes: 10, now: now, jitter: random.next())
            }
            for message in up.filter({ $0.at <= now }) {
                if message.sequence == taken + 1 { taken += 1 }
                guard Int.random(in: 0..<100, using: &random) >= loss else { continue }
                let gap = message.sequence > taken + 1 ? taken + 1 : nil
                down.append((now + Int64.random(in: 10...300, using: &random), taken, gap))
            }
            up.removeAll { $0.at <= now }
            for receipt in down.filter({ $0.at <= now }) {
                // Receipts of one collector never overtake each other by more than the link does: a late one looks
                // like a collector that went back, costs sending again, and must not cost a record.
                window.receipt(through: receipt.through, now: now, jitter: random.next())
                if let from = receipt.resendFrom { window.goBack(to: from, now: now) }
            }
            down.removeAll { $0.at <= now }
            #expect(window.receipted <= taken, "seed \(seed)")
        }
        window.connected(now: now)
        #expect(head == 300 && taken == 300, "seed \(seed), loss \(loss) %")
    }
}
