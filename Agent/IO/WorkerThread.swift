// Threads of our own: blocking C runs here, never on the cooperative pool. And the mailbox by which they talk.

internal import Glibc

/// A POSIX thread that was started and can be joined once.
///
/// @unchecked Sendable, proven: `id` is written before the value is handed out and never again; pthread_t may be
/// passed between threads.
package final class WorkerThread: @unchecked Sendable {
    private final class Start {
        let body: () -> Void
        init(_ body: @escaping () -> Void) { self.body = body }
    }

    private let id: pthread_t

    /// Starts `body`. Everything it uses belongs to the new thread from here on.
    ///
    /// - Parameter name: at most 15 bytes, shown by ps -L.
    /// - Throws: ``SystemError`` when the system gives no thread.
    package init(_ name: String, _ body: sending @escaping () -> Void) throws(SystemError) {
        let attributes = UnsafeMutablePointer<pthread_attr_t>.allocate(capacity: 1)
        pthread_attr_init(attributes)
        defer {
            pthread_attr_destroy(attributes)
            attributes.deallocate()
        }
        // 512 KiB: hundreds of buses on a gateway with 256 MiB; SQLite and OpenSSL need far less.
        pthread_attr_setstacksize(attributes, 524_288)
        let start = Unmanaged.passRetained(
            Start {
                Self.nameThisThread(name)
                body()
            })
        var thread = pthread_t()
        let code = pthread_create(
            &thread, attributes,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            }, start.toOpaque())
        guard code == 0 else {
            start.release()
            throw SystemError("start thread \(name)", code: code)
        }
        id = thread
    }

    /// Best effort: a name is only for people.
    private static func nameThisThread(_ name: String) {
        let descriptor = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        _ = write(descriptor, name, min(15, name.utf8.count))
        close(descriptor)
    }

    /// Waits for the end. Once.
    package func join() { pthread_join(id, nil) }
}

/// A system call that failed, in words.
package struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    package let action: String
    package let code: Int32

    package init(_ action: String, code: Int32 = errno) {
        self.action = action
        self.code = code
    }

    package var description: String { "cannot \(action): \(String(cString: strerror(code)))" }
}

/// A bounded queue between threads, whose taker may wait until a moment.
///
/// @unchecked Sendable, proven: `items` and `isClosed` are touched only while `mutex` is held; mutex and condition
/// live at fixed addresses from init to deinit.
package final class Mailbox<Item: Sendable>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let itemsMax: Int
    private var items: [Item] = []
    private var isClosed = false

    package init(itemsMax: Int) {
        self.itemsMax = itemsMax
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
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

    /// Adds an item. False when the box is full or closed: the item is not in it.
    @discardableResult
    package func post(_ item: Item) -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        guard items.count < itemsMax, !isClosed else { return false }
        items.append(item)
        pthread_cond_signal(condition)
        return true
    }

    /// Takes all items; waits up to `nanoseconds` for the first. Empty after that time, or when closed.
    package func take(within nanoseconds: Int64) -> [Item] {
        var deadline = timespec()
        clock_gettime(CLOCK_MONOTONIC, &deadline)
        let total = deadline.tv_nsec + Int(max(0, min(nanoseconds, 3_600_000_000_000)))
        deadline.tv_sec += total / 1_000_000_000
        deadline.tv_nsec = total % 1_000_000_000
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while items.isEmpty, !isClosed {
            if pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT { break }
        }
        let taken = items
        items = []
        return taken
    }

    /// Sleeps for `nanoseconds`, whatever is in the box, or until it is closed.
    package func pause(for nanoseconds: Int64) {
        let end = steadyNanoseconds() + max(0, min(nanoseconds, 3_600_000_000_000))
        var deadline = timespec(tv_sec: Int(end / 1_000_000_000), tv_nsec: Int(end % 1_000_000_000))
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while !isClosed, pthread_cond_timedwait(condition, mutex, &deadline) != ETIMEDOUT {}
    }

    /// Ends all waiting; nothing is accepted any more, what is in it can still be taken.
    package func close() {
        pthread_mutex_lock(mutex)
        isClosed = true
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }

    package var isOpen: Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return !isClosed
    }
}
