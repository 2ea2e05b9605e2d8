// A lock with a condition to wait on, and the monotonic clock it waits by. For threads; never wait in async code.

internal import Glibc

/// A point on CLOCK_MONOTONIC in nanoseconds: to wait by, never to stamp with.
struct Moment: Comparable, Sendable {
    let nanoseconds: Int64

    static var now: Moment {
        var time = timespec()
        // Cannot fail: the clock exists on every Linux and the pointer is valid.
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Moment(nanoseconds: Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec))
    }

    /// Saturates: a wait for ever stays a wait for ever.
    static func + (moment: Moment, duration: Duration) -> Moment {
        let (sum, overflowed) = moment.nanoseconds.addingReportingOverflow(duration.nanosecondsClamped)
        return Moment(nanoseconds: overflowed ? .max : sum)
    }

    static func < (a: Moment, b: Moment) -> Bool { a.nanoseconds < b.nanoseconds }

    /// Milliseconds from now, rounded up, 0 when past, at most `max`: what poll(2) takes.
    func pollMilliseconds(max: Int32) -> Int32 {
        let left = nanoseconds &- Moment.now.nanoseconds
        guard left > 0 else { return 0 }
        return Int32(min(Int64(max), left / 1_000_000 + 1))
    }
}

extension Duration {
    /// 0 … Int64.max.
    var nanosecondsClamped: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflowed) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard self > .zero else { return 0 }
        guard !overflowed else { return .max }
        let (sum, carried) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
        return carried ? .max : sum
    }
}

/// State that threads share: looked at and changed under its lock, waited for by its condition.
///
// @unchecked Sendable, proven: `state` is touched only between pthread_mutex_lock and unlock in the two methods below;
// mutex and condition live at fixed addresses from init to deinit.
final class Monitor<State: Sendable>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var state: State

    init(_ state: State) {
        self.state = state
        var attributes = pthread_condattr_t()
        pthread_mutex_init(mutex, nil)
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Runs `body` under the lock and wakes everybody who waits. Keep it short and call nothing foreign inside.
    func change<Result>(_ body: (inout State) throws -> Result) rethrows -> Result {
        pthread_mutex_lock(mutex)
        defer {
            pthread_cond_broadcast(condition)
            pthread_mutex_unlock(mutex)
        }
        return try body(&state)
    }

    /// Runs `body` under the lock; nobody is woken.
    func look<Result>(_ body: (borrowing State) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(state)
    }

    /// Runs `body` under the lock, again after every change, until it returns a value or `deadline` has passed.
    /// It runs at least once. What it changes wakes the others.
    func wait<Result>(until deadline: Moment, _ body: (inout State) throws -> Result?) rethrows -> Result? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let result = try body(&state) {
                pthread_cond_broadcast(condition)
                return result
            }
            var time = timespec()
            time.tv_sec = Int(deadline.nanoseconds / 1_000_000_000)
            time.tv_nsec = Int(deadline.nanoseconds % 1_000_000_000)
            // Anything but 0 (a change, or a wake-up without one) is the deadline.
            if Moment.now >= deadline || pthread_cond_timedwait(condition, mutex, &time) != 0 {
                let last = try body(&state)
                if last != nil { pthread_cond_broadcast(condition) }
                return last
            }
        }
    }
}

/// strerror(3) in words, without its static buffer.
func systemText(_ error: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    let text = strerror_r(error, &buffer, buffer.count)
    return text == 0
        ? String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        : "error \(error)"
}
