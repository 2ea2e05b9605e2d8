// One thread that runs an actor: blocking C (SQLite, fsync) never sits on the cooperative pool.

internal import Foundation
internal import Synchronization

/// A serial executor on a thread of its own. It lives as long as the process: nobody stops it.
final class ThreadExecutor: SerialExecutor {
    private struct Jobs {
        var waiting: [UnownedJob] = []
    }

    private let name: String
    // Jobs are appended by any thread and taken by the one thread; the condition guards exactly this array.
    private let condition = NSCondition()
    private let jobs = Mutex(Jobs())

    init(name: String) {
        self.name = name
        Thread.detachNewThread { [self] in
            Thread.current.name = name
            self.run()
        }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        condition.lock()
        jobs.withLock { $0.waiting.append(job) }
        condition.signal()
        condition.unlock()
    }

    private func run() {
        while true {
            condition.lock()
            while jobs.withLock({ $0.waiting.isEmpty }) { condition.wait() }
            let batch = jobs.withLock { state in
                let batch = state.waiting
                state.waiting = []
                return batch
            }
            condition.unlock()
            for job in batch { job.runSynchronously(on: asUnownedSerialExecutor()) }
        }
    }
}
