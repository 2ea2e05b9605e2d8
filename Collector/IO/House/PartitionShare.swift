// Which partitions one connection to the broker carries. A partition is an index: it is never visible in a digest.

internal import Evidence
internal import Quantities

/// The `number`th of `count` equal shares of the 256 partitions (first byte of SHA-256 of the gateway's id).
struct PartitionShare: Hashable, Sendable {
    /// 0 … count − 1.
    let number: Int
    /// 1 … 64, a power of two.
    let count: Int

    static let all = PartitionShare(number: 0, count: 1)
    static let counts = [1, 2, 4, 8, 16, 32, 64]

    private var partitions: Range<Int> { number * 256 / count..<(number + 1) * 256 / count }

    func holds(_ gateway: Identifier) -> Bool {
        UInt8(GatewayTopics(gateway).partition, radix: 16).map { partitions.contains(Int($0)) } ?? false
    }

    /// MQTT has no filter within a level: each partition has its own, but for all of them together.
    var filters: [String] {
        let prefixes = count == 1 ? ["+"] : partitions.map { [UInt8($0)].hex }
        return prefixes.flatMap { ["km/1/\($0)/+/evidence", "km/1/\($0)/+/status"] }
    }

    /// The broker keeps a session by its client id: each share has its own.
    func clientID(_ base: String) -> String { count == 1 ? base : "\(base)-\(number)" }
}
