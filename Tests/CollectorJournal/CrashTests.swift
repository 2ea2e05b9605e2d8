// Power cuts: the files as they are at a random moment, torn at a random byte. What opens again is a whole prefix of the
// history, and whoever saw more is believed.

import CollectorCore
import CollectorJournal
import Foundation
import Keys
import Kit
import Proofs
import Synchronization
import Testing

struct CrashTests {
    /// The files at a step of a write, and what was promised before it.
    struct Moment: Sendable {
        let step: LogStep
        let path: String
        let witness: [UInt8]?
        /// Entries whose append had returned.
        let promised: UInt64
        /// Entries that may be there: those of the open append too.
        let possible: UInt64
    }

    /// A run of a log that copies its files at some of its steps.
    private final class Recorder: Sendable {
        private struct State {
            var random: SeededGenerator
            var moments: [Moment] = []
            var promised: UInt64 = 0
            var possible: UInt64 = 0
        }

        let rig: LogRig
        let name: LogName
        private let state: Mutex<State>

        init(_ rig: LogRig, _ name: LogName, seed: UInt64) {
            (self.rig, self.name) = (rig, name)
            state = Mutex(State(random: SeededGenerator(seed: seed)))
        }

        var moments: [Moment] { state.withLock { $0.moments } }

        func record(_ step: LogStep) throws {
            try state.withLock { state in
                guard Int.random(in: 0..<5, using: &state.random) == 0 else { return }
                let path = rig.place.file("moment-\(state.moments.count)")
                try LogRig.copyFile(rig.path(name), to: path)
                let file = rig.witness(name)
                let witness = FileManager.default.fileExists(atPath: file) ? try Workplace.bytes(of: file) : nil
                state.moments.append(
                    Moment(
                        step: step, path: path, witness: witness, promised: state.promised,
                        possible: step == .commit ? state.promised : state.possible))
            }
        }

        func run() throws -> [[UInt8]] {
            let step: @Sendable (LogStep) throws -> Void = { step in try self.record(step) }
            let configuration = rig.configuration(name)
            let log: any TransparencyLog =
                switch name {
                case .evidence: try SQLiteEvidenceLog(configuration, key: rig.key, step: step)
                case .journal: try SQLiteJournal(configuration, key: rig.key, step: step)
                }
            for _ in 0..<20 {
                let (count, publishes) = state.withLock { state in
                    let count = Int.random(in: 1...30, using: &state.random)
                    state.possible = state.promised + UInt64(count)
                    return (count, Bool.random(using: &state.random))
                }
                try rig.fill(log, count)
                state.withLock { $0.promised = $0.possible }
                if publishes { _ = try log.publish() }
            }
            return try log.entries(from: .start, limit: 10_000)
        }
    }

    @Test(arguments: LogName.allCases, [UInt64(1), 2])
    func opensAsAWholePrefix(name: LogName, seed: UInt64) throws {
        let rig = try LogRig(.sqlite)
        let recorder = Recorder(rig, name, seed: seed)
        let history = try recorder.run()
        #expect(recorder.moments.count > 5, "seed \(seed)")
        #expect(Set(recorder.moments.map(\.step)).count > 2, "seed \(seed)")
        for moment in recorder.moments {
            let log = try opened(rig, name, moment)
            // Everything promised, nothing half: an append in its transaction is not there, a committed one is.
            let entries = try log.entries(from: .start, limit: 10_000)
            let expected = moment.step == .commit ? moment.promised : moment.possible
            #expect(UInt64(entries.count) == expected, "seed \(seed), \(moment.step)")
            #expect(entries == Array(history.prefix(entries.count)))
            #expect(try log.standing() == .current)
            #expect(try log.audit().entries == UInt64(entries.count))
            // And it goes on: with the same content as the run that was not cut, whose root it must reach.
            if entries.count < history.count {
                try rig.fill(log, history.count - entries.count)
            }
            #expect(try log.publish().checkpoint.size == UInt64(history.count))
            if name == .evidence {
                #expect(try log.root(epoch: 1, size: UInt64(history.count)) == NaiveTree.root(history))
            }
            try log.close()
        }
    }

    /// A device that lied about a sync: the end of the write-ahead log is missing, from any byte on.
    @Test(arguments: LogName.allCases, [UInt64(4), 5])
    func tornTailsAreNoticed(name: LogName, seed: UInt64) throws {
        let rig = try LogRig(.sqlite)
        let recorder = Recorder(rig, name, seed: seed)
        let history = try recorder.run()
        var random = SeededGenerator(seed: seed)
        var (behind, damaged) = (0, 0)
        for moment in recorder.moments {
            let size = try FileManager.default.attributesOfItem(atPath: moment.path + "-wal")[.size] as? Int ?? 0
            let cut = Int.random(in: 0...size, using: &random)
            let file = try FileHandle(forUpdating: URL(fileURLWithPath: moment.path + "-wal"))
            try file.truncate(atOffset: UInt64(cut))
            try file.close()

            do {
                behind += try expectPrefix(moment, of: history, rig, name) ? 1 : 0
            } catch LogError.damaged {
                // The file had been checkpointed from frames that are gone now: said, so an operator restores a copy.
                damaged += 1
            }
        }
        #expect(damaged < recorder.moments.count, "seed \(seed)")
        #expect(behind > 0, "seed \(seed) never lost what was witnessed: choose another")
    }

    /// What is left opens as a prefix of the history.
    ///
    /// - Returns: whether the witness had seen more.
    private func expectPrefix(_ moment: Moment, of history: [[UInt8]], _ rig: LogRig, _ name: LogName) throws -> Bool {
        let log = try opened(rig, name, moment, missingWitness: true)
        let entries = try log.entries(from: .start, limit: 10_000)
        #expect(try log.audit().entries == UInt64(entries.count))
        #expect(entries == Array(history.prefix(entries.count)))
        let witnessed = moment.witness.flatMap { SignedNote(parsing: $0) }.flatMap { Checkpoint(text: $0.text) }?.size
        #expect((witnessed == nil) == (moment.witness == nil))
        let standing = try log.standing()
        let isBehind = witnessed ?? 0 > UInt64(entries.count)
        if isBehind {
            #expect(standing.head?.size == witnessed)
            #expect(throws: LogError.behind(standing)) { try rig.fill(log, 1) }
        } else {
            #expect(standing == .current)
            try rig.fill(log, 1)
            _ = try log.publish()
        }
        try log.close()
        return isBehind
    }

    private func opened(
        _ rig: LogRig, _ name: LogName, _ moment: Moment, missingWitness: Bool = false
    ) throws -> any TransparencyLog {
        let witness = moment.path + ".witness"
        if let note = moment.witness { try Data(note).write(to: URL(fileURLWithPath: witness)) }
        var configuration = LogConfiguration(path: moment.path, base: LogRig.base, witnesses: [witness])
        configuration.quickCheck = true
        configuration.acceptsMissingWitness = missingWitness
        switch name {
        case .evidence: return try SQLiteEvidenceLog(configuration, key: rig.key)
        case .journal: return try SQLiteJournal(configuration, key: rig.key)
        }
    }
}
