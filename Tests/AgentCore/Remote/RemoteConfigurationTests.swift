// The state of remote configuration: its steps, its bytes, and a seeded world in which every write fails in both ways and the
// process dies between any two steps.

internal import AgentCore
internal import CBOR
internal import Evidence
internal import Kit
internal import Proofs
internal import Quantities
internal import Testing

struct RemoteConfigurationTests {
    static func version(_ number: UInt64, _ text: String = "interval: 10s") -> RemoteConfiguration.Version {
        RemoteConfiguration.Version(
            number: number, identity: Digest(of: [UInt8(truncatingIfNeeded: number)]), text: text)
    }

    private static let meter = RemoteConfiguration.Expected(meter: "m-1", serial: "77")

    private static func words(_ state: RemoteConfiguration) -> [String] {
        state.outcomes.map { "\($0.number) \($0.word.rawValue)" }
    }

    @Test func aVersionIsTriedAndConfirmed() {
        var state = RemoteConfiguration()
        #expect(state.effective == nil)
        state.begin(Self.version(3), expected: [Self.meter])
        #expect(state.effective == Self.version(3) && state.accepted == nil && state.highest == 3)
        state.confirm()
        #expect(state.effective == Self.version(3) && state.accepted == Self.version(3) && state.trial == nil)
        #expect(Self.words(state) == ["3 tried", "3 applied"])
        state.confirm()
        state.rollBack("nothing is on trial")
        #expect(Self.words(state).count == 2 && state.effective == Self.version(3))
        state.noted(2)
        #expect(state.outcomes.isEmpty && state.last?.word == .applied)
    }

    @Test func whatWasAcceptedComesBack() {
        var state = RemoteConfiguration()
        state.begin(Self.version(1), expected: [])
        state.confirm()
        state.begin(Self.version(2), expected: [])
        #expect(state.effective == Self.version(2))
        state.rollBack("silence")
        #expect(state.effective == Self.version(1))
        state.begin(Self.version(3), expected: [])
        state.begin(Self.version(4), expected: [])
        #expect(Self.words(state).suffix(3) == ["3 tried", "3 rolled back", "4 tried"])
        state.forget("at the gateway")
        #expect(state.effective == nil && state.trial == nil && state.highest == 4)
        #expect(Self.words(state).suffix(2) == ["4 rolled back", "1 rolled back"])
    }

    @Test func theEmptyTextIsTheSitesFile() {
        var state = RemoteConfiguration()
        state.begin(Self.version(1), expected: [])
        state.confirm()
        state.begin(Self.version(2, ""), expected: [])
        #expect(state.effective == nil && state.trial != nil)
        state.rollBack("silence")
        #expect(state.effective == Self.version(1))
        state.begin(Self.version(3, ""), expected: [])
        state.confirm()
        #expect(state.effective == nil && state.accepted == nil)
    }

    @Test func startsOnTrialAreCounted() {
        var state = RemoteConfiguration()
        state.begin(Self.version(1), expected: [])
        for _ in 0..<RemoteConfiguration.startsMax {
            state.start()
            #expect(state.effective == Self.version(1))
        }
        state.start()
        #expect(state.effective == nil && state.last?.word == .rolledBack)
        state.start()
        #expect(Self.words(state).count == 2)
    }

    @Test func outcomesThatWaitAreBounded() {
        var state = RemoteConfiguration()
        for number in 1...UInt64(RemoteConfiguration.outcomesMax + 5) {
            state.refuse(number, Digest(of: [1]), "no")
        }
        #expect(state.outcomes.count == RemoteConfiguration.outcomesMax && state.outcomes[0].number == 6)
        #expect(state.highest == 21 && state.effective == nil)
    }

    @Test func commandsAreJudged() {
        let gateway = Identifier("gw-1")!
        func command(_ number: UInt64, _ body: Command.Body = .configuration("x"), for other: String = "gw-1")
            -> Command
        {
            Command(
                gateway: Identifier(other)!, number: number, issuedAt: UTCInstant(milliseconds: 0),
                expiresAt: UTCInstant(milliseconds: 100), body: body)
        }
        var state = RemoteConfiguration()
        state.refuse(5, Digest(of: [5]), "no")
        func judged(_ command: Command, _ identity: UInt8, now: Int64 = 99) -> CommandVerdict {
            state.judged(
                command, identity: Digest(of: [identity]), gateway: gateway, now: UTCInstant(milliseconds: now))
        }
        #expect(judged(command(6), 6) == .configure(Self.version(6, "x")))
        #expect(judged(command(5), 5) == .repeated)
        #expect(judged(command(5), 6) == .unbelieved("number 5 is not above 5, which was taken before"))
        #expect(judged(command(4), 4) == .unbelieved("number 4 is not above 5, which was taken before"))
        #expect(judged(command(9, for: "gw-2"), 9) == .unbelieved("it is for gw-2"))
        #expect(judged(command(6), 6, now: 100) == .refuse("it expired at 1970-01-01T00:00:00.100Z"))
        #expect(
            judged(command(6, .unknown(2, .map([]))), 6) == .refuse("kind 2 is not known to this version of the agent"))
    }

    @Test func onlyCommandKeysInForceCount() {
        func entry(_ byte: UInt8, _ role: KeyRole, _ from: Int64, _ to: Int64) -> KeyList.Entry {
            KeyList.Entry(
                spki: [byte], role: role, validFrom: UTCInstant(milliseconds: from),
                validTo: UTCInstant(milliseconds: to))
        }
        let list = KeyList(
            number: 1, issuedAt: UTCInstant(milliseconds: 0),
            entries: [entry(1, .command, 0, 10), entry(2, .receipt, 0, 20), entry(3, .root, 0, 20)])
        #expect(list.commandKeys(at: UTCInstant(milliseconds: -1)).isEmpty)
        #expect(list.commandKeys(at: UTCInstant(milliseconds: 9)) == [[1]])
        #expect(list.commandKeys(at: UTCInstant(milliseconds: 10)).isEmpty)
    }

    // MARK: Stored

    @Test func whatIsStoredIsReadAgain() throws {
        var state = RemoteConfiguration()
        #expect(try RemoteConfiguration(decoding: state.encoded) == state)
        state.begin(Self.version(1), expected: [])
        state.confirm()
        state.begin(Self.version(2), expected: [Self.meter])
        state.start()
        #expect(try RemoteConfiguration(decoding: state.encoded) == state)
        let whole = state.encoded
        for count in 0..<whole.count {
            #expect(throws: RecordError.self) { try RemoteConfiguration(decoding: Array(whole.prefix(count))) }
        }
    }

    @Test func damageNeverTraps() {
        var state = RemoteConfiguration()
        state.begin(Self.version(1), expected: [Self.meter])
        var random = SeededGenerator(seed: 31)
        let whole = state.encoded
        for _ in 0..<20_000 {
            do {
                let read = try RemoteConfiguration(decoding: random.mutated(whole))
                #expect(read.outcomes.count <= RemoteConfiguration.outcomesMax)
            } catch { continue }
        }
    }
}
