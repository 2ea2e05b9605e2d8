// How fast this machine verifies and signs. Printed, never asserted: another machine is another number.

import Evidence
import Glibc
import Keys
import Testing

struct RateTests {
    @Test(arguments: [.es256, .eddsa] as [SignatureAlgorithm]) func rate(_ algorithm: SignatureAlgorithm) throws {
        let key = try PrivateKey.generate(algorithm)
        let message = [UInt8](repeating: 0x5a, count: 1_000)
        let signature = try key.sign(message)
        let rounds = 2_000
        let verifying = processorNanoseconds {
            for _ in 0..<rounds where !key.publicKey.verify(signature: signature, over: message) {
                Issue.record("a sound signature was refused")
            }
        }
        let signing = try processorNanoseconds { for _ in 0..<rounds { _ = try key.sign(message) } }
        print(
            "\(algorithm): \(perSecond(rounds, verifying)) verified/s, \(perSecond(rounds, signing)) signed/s, one thread"
        )
    }

    private func perSecond(_ rounds: Int, _ nanoseconds: Int) -> Int { rounds * 1_000_000_000 / max(nanoseconds, 1) }

    /// Processor time of this thread, so that a busy machine does not count.
    private func processorNanoseconds(_ body: () throws -> Void) rethrows -> Int {
        func now() -> Int {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return time.tv_sec * 1_000_000_000 + time.tv_nsec
        }
        let start = now()
        try body()
        return now() - start
    }
}
