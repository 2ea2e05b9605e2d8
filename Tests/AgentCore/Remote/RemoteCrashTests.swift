// A seeded world around the state: commands come, trials end, every write is refused or its answer lost now and then, and the
// process dies between any two steps. What runs must always be something that was confirmed, or a trial that ends.

internal import AgentCore
internal import Kit
internal import Testing

struct RemoteCrashTests {
    /// The agent as its shell acts, over a disk that fails.
    private struct World {
        var random: SeededGenerator
        var disk: [UInt8]
        var state = RemoteConfiguration()
        var isStored = true
        /// What was confirmed, ever; and what runs.
        var confirmed: Set<UInt64> = []
        var running: UInt64?
        /// Starts of one version since it was begun.
        var starts: [UInt64: Int] = [:]
        var next: UInt64 = 1

        init(seed: UInt64) {
            random = SeededGenerator(seed: seed)
            disk = RemoteConfiguration().encoded
        }

        /// Whether the writer heard that it was stored.
        mutating func store() -> Bool {
            switch UInt8.random(in: 0..<10, using: &random) {
            case 0: return false
            case 1:
                disk = state.encoded
                return false
            default:
                disk = state.encoded
                return true
            }
        }

        mutating func command() {
            let before = state
            state.begin(RemoteConfigurationTests.version(next), expected: [])
            next += 1
            guard store() else {
                state = before
                return
            }
            running = state.effective?.number
        }

        mutating func decide() {
            guard let trial = state.trial else { return }
            if Bool.random(using: &random) {
                confirmed.insert(trial.version.number)
                state.confirm()
            } else {
                state.rollBack("silence")
            }
            isStored = store()
            running = state.effective?.number
        }

        mutating func crash() throws {
            state = try RemoteConfiguration(decoding: disk)
            let before = state.trial?.version.number
            state.start()
            if !store(), state.trial != nil {
                // Nobody could count this start: the version does not run.
                state.rollBack("it could not be stored that it starts on trial")
            }
            if let before, state.trial?.version.number == before { starts[before, default: 0] += 1 }
            running = state.effective?.number
        }
    }

    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func whatRunsWasConfirmedOrIsOnTrial(seed: UInt64) throws {
        var world = World(seed: seed)
        for step in 0..<400 {
            switch UInt8.random(in: 0..<6, using: &world.random) {
            case 0: world.command()
            case 1: world.decide()
            case 2, 3: try world.crash()
            default: if !world.isStored { world.isStored = world.store() }
            }
            let place = "seed \(seed), step \(step)"
            let trial = world.state.trial?.version.number
            #expect(
                world.running == nil || world.confirmed.contains(world.running!) || world.running == trial, "\(place)")
            #expect(world.running == world.state.effective?.number, "\(place)")
            // A trial ends, however often the process dies: those starts are counted on the disk.
            let most = world.starts.values.max() ?? 0
            #expect(most <= Int(RemoteConfiguration.startsMax), "\(place)")
            let stored = try RemoteConfiguration(decoding: world.disk)
            if let accepted = stored.accepted { #expect(world.confirmed.contains(accepted.number), "\(place)") }
        }
    }
}
