// Damaged profile bytes: refused, or a profile that encodes to exactly those bytes and decodes words without a trap.

import Kit
import Metering
import Testing

struct ProfileFuzzTests {
    /// True when the bytes were accepted.
    private func isSound(_ bytes: [UInt8], _ random: inout SeededGenerator) -> Bool {
        let profile: Profile
        do { profile = try Profile(decoding: bytes) } catch {
            #expect(!"\(error)".isEmpty)
            return false
        }
        #expect(profile.encoded() == bytes)
        let chain = profile.exampleChain(from: 2)
        for quantity in profile.quantities {
            guard let address = quantity.place.resolved(chain), let start = UInt16(exactly: max(0, address - 2)) else {
                continue
            }
            let request = ReadRequest(function: quantity.place.function, address: start, count: 12)
            _ = ReadDecoder(profile, request, chain: chain).decode(random.bytes(24))
        }
        do {
            for read in try profile.plan(profile.quantities.map(\.obis), chain: chain) {
                #expect((1...profile.limits.registersMax).contains(Int(read.request.count)))
            }
            for read in try profile.identityPlan(chain: chain) {
                _ = read.identityTexts(random.bytes(2 * Int(read.request.count)), profile, chain: chain)
            }
        } catch { #expect(!error.description.isEmpty) }
        return true
    }

    @Test(arguments: ProfileFile.representative)
    func everyTruncationIsRefused(file: ProfileFile) throws {
        let bytes = try file.profile().encoded()
        for count in 0..<bytes.count {
            #expect(throws: (any Error).self) { try Profile(decoding: Array(bytes[..<count])) }
        }
        #expect(throws: (any Error).self) { try Profile(decoding: bytes + [0]) }
    }

    /// One bit in every byte; which one, the seed says.
    @Test(arguments: ProfileFile.representative)
    func aFlippedBitInEveryByte(file: ProfileFile) throws {
        let bytes = try file.profile().encoded()
        var random = SeededGenerator(seed: 11)
        var accepted = 0
        for index in bytes.indices {
            var damaged = bytes
            damaged[index] ^= 1 << UInt8(random.next() % 8)
            if isSound(damaged, &random) { accepted += 1 }
        }
        // Some bits only change an address or a letter; most break the form.
        #expect(accepted > 0 && accepted < bytes.count / 2)
    }

    @Test(arguments: [UInt64(1), 2])
    func randomDamage(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let originals = try ProfileFile.all.map { try $0.profile().encoded() }
        for _ in 0..<2000 {
            var bytes = originals[Int(random.next() % UInt64(originals.count))]
            if random.next() % 8 == 0 { bytes = random.bytes(Int(random.next() % 200)) }
            for _ in 0...Int(random.next() % 4) where !bytes.isEmpty {
                let place = Int(random.next() % UInt64(bytes.count))
                switch random.next() % 4 {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
                default:
                    bytes[place] =
                        [0x00, 0x17, 0x1B, 0x3B, 0x5F, 0x80, 0x9B, 0xA0, 0xF6, 0xFF][Int(random.next() % 10)]
                }
            }
            _ = isSound(bytes, &random)
        }
    }

    @Test func refusesWhatIsTooLarge() {
        #expect(throws: (any Error).self) {
            try Profile(decoding: [UInt8](repeating: 0, count: Profile.encodedBytesMax + 1))
        }
    }
}
