// When a configuration on trial is confirmed, and when it is taken back.

internal import AgentCore
internal import Testing

struct TrialWatchTests {
    private func watch(_ expected: [String: String]) -> TrialWatch {
        TrialWatch(
            expected: expected.sorted { $0.key < $1.key }
                .map { RemoteConfiguration.Expected(meter: $0.key, serial: $0.value) },
            stream: "s-1", head: 10, now: 1_000, patience: 500)
    }

    private func sight(
        _ answering: Set<String>, _ serials: [String: String] = [:], stream: String = "s-1", receipted: UInt64 = 11
    ) -> TrialWatch.Sight {
        TrialWatch.Sight(answering: answering, serials: serials, stream: stream, receipted: receipted)
    }

    @Test func everyMeterAndAReceiptConfirm() {
        let watch = watch(["a": "", "b": "7"])
        #expect(watch.verdict(sight(["a", "b", "c"], ["b": "7"]), now: 1_000) == .confirm)
        #expect(watch.verdict(sight(["a"], ["b": "7"]), now: 1_499) == .wait("no longer answering: b"))
        #expect(watch.verdict(sight(["a"], ["b": "7"]), now: 1_500) == .rollBack("no longer answering: b"))
        #expect(watch.verdict(sight(["a", "b"]), now: 1_500) == .rollBack("no longer saying its serial number: b"))
        #expect(
            watch.verdict(sight(["a", "b"], ["b": ""]), now: 1_499) == .wait("no longer saying its serial number: b"))
    }

    @Test func theReceiptMustBeForWhatWasSignedWithIt() {
        let reason = "no receipt came for what was signed with it"
        #expect(watch([:]).verdict(sight([], receipted: 10), now: 1_499) == .wait(reason))
        #expect(watch([:]).verdict(sight([], receipted: 10), now: 1_500) == .rollBack(reason))
        #expect(watch([:]).verdict(sight([], receipted: 11), now: 9_999) == .confirm)
        // Another stream was opened since: all of it is new.
        #expect(watch([:]).verdict(sight([], stream: "s-2", receipted: 1), now: 1_000) == .confirm)
        #expect(watch([:]).verdict(sight([], stream: "s-2", receipted: 0), now: 1_500) == .rollBack(reason))
    }

    @Test func anotherDeviceIsNoMatterOfTime() {
        let verdict = watch(["a": "7"]).verdict(sight(["a"], ["a": "8"]), now: 1_000)
        #expect(verdict == .rollBack("a answers with serial number 8, before it was 7"))
    }

    @Test func longListsAreCut() {
        let many = Dictionary(uniqueKeysWithValues: (0..<9).map { ("m\($0)", "") })
        #expect(
            watch(many).verdict(sight([]), now: 1_500)
                == .rollBack("no longer answering: m0, m1, m2, m3, m4 and 4 more"))
    }
}
