// Which keys signed for this gateway since when: the file `keys` in the spool folder. It lets stored records of a key that was
// removed be verified, and tells a key's age. A hint beside the stream, which says itself which key is in force.

package import Keys
package import Quantities

package struct KeyBook: Sendable {
    package struct Entry: Hashable, Sendable {
        package let since: UTCInstant
        package let key: PublicKey

        /// A gateway that woke without a clock does not know since when.
        package var isPlausible: Bool { since.isPlausible }
    }

    /// The oldest go when there are more.
    package static let entriesMax = 32

    private let path: String
    /// Oldest first: the last one is in force.
    package private(set) var entries: [Entry] = []

    /// What can be understood of it; nothing where it is not there.
    package init(folder: String) {
        path = folder + "/keys"
        let text: String
        do { text = try SmallFile.text(path) } catch { return }  // Not made yet: the next start makes it.
        for line in text.split(separator: "\n").suffix(Self.entriesMax) {
            let words = line.split(separator: " ")
            guard words.count == 2, let since = UTCInstant(String(words[0])), let spki = [UInt8](hex: String(words[1]))
            else { continue }
            do throws(KeyError) { entries.append(Entry(since: since, key: try PublicKey(spki: spki))) } catch {
                continue
            }
        }
    }

    package var current: Entry? { entries.last }
    package var keys: [PublicKey] { entries.map(\.key) }

    /// Remembers the key in force, durably. The file is replaced as a whole: a crash leaves the former one, and the next start
    /// notes the key again, some seconds younger.
    package mutating func note(_ key: PublicKey, at instant: UTCInstant) throws(SystemError) {
        if let current, current.key == key, current.isPlausible || !instant.isPlausible { return }
        entries = (entries.filter { $0.key != key } + [Entry(since: instant, key: key)]).suffix(Self.entriesMax)
        let bytes = Array(entries.map { "\($0.since) \($0.key.spki.hex)\n" }.joined().utf8)
        try SmallFile.replace(path, with: bytes)
    }
}

extension UTCInstant {
    /// After 2020: before, nobody ran this program.
    fileprivate var isPlausible: Bool { milliseconds >= 1_577_836_800_000 }
}

/// The keys that the keeper signs with, and those whose signatures it knows.
package struct Signers: Sendable {
    var ring: KeyRing
    /// In force at the end of the stream.
    var current: PrivateKey
    var book: KeyBook

    /// Every key whose signature can be checked.
    var known: [PublicKey] { ring.held.map(\.key.publicKey) + book.keys }

    init(_ ring: KeyRing, current: PrivateKey, book: KeyBook) {
        self.ring = ring
        self.current = current
        self.book = book
    }
}
