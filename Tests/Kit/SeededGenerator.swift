// Random numbers that can be had again: every seeded test prints its seed. Not for anything that must be unguessable.

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers from the same seed on every machine.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    /// Stands in every failure's message: `SeededGenerator(seed: 7)` repeats the run.
    package let seed: UInt64
    private var state: UInt64

    package init(seed: UInt64) {
        self.seed = seed
        state = seed
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    package mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) }
    }

    /// Between one and `changesMax` small damages of `bytes`: flipped bits, bytes set, cut, doubled, inserted.
    package mutating func mutated(_ bytes: [UInt8], changesMax: Int = 4) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...changesMax, using: &self) {
            guard !bytes.isEmpty else { return self.bytes(3) }
            let place = Int.random(in: 0..<bytes.count, using: &self)
            switch Int.random(in: 0...5, using: &self) {
            case 0, 1: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &self)
            case 2: bytes[place] = [0x00, 0x7F, 0x80, 0xFF, 0x1B, 0x9B, 0xBF, 0xFB].randomElement(using: &self)!
            case 3: bytes.removeLast(bytes.count - place)
            case 4: bytes.insert(UInt8.random(in: 0...255, using: &self), at: place)
            default: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 9)], at: place)
            }
        }
        return bytes
    }
}
