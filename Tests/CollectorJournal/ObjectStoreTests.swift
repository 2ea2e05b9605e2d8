// The object store and the snapshots: whole or not there, and never other bytes than asked for.

import CollectorCore
import CollectorJournal
import Foundation
import Kit
import Proofs
import Quantities
import Testing

struct ObjectStoreTests {
    private func path(_ place: TemporaryDirectory, _ digest: Digest) -> String {
        place.file("objects/\("\(digest)".prefix(2))/\(digest)")
    }

    @Test func keepsBytesByTheirDigest() throws {
        let place = try TemporaryDirectory()
        var random = SeededGenerator(seed: 256)
        let objects = [0, 1, 4095, 4096, 4097, 300_000].map { random.bytes($0) }
        let store = try DirectoryObjectStore(root: place.file("objects"))
        for bytes in objects + objects { #expect(try store.put(bytes) == Digest(of: bytes)) }

        let again = try DirectoryObjectStore(root: place.file("objects"))
        for bytes in objects {
            #expect(try again.get(Digest(of: bytes)) == bytes)
            #expect(try again.contains(Digest(of: bytes)))
        }
        #expect(try again.list() == objects.map { Digest(of: $0) }.sorted())
        #expect(try again.get(.zero) == nil && again.contains(.zero) == false)
        // Nothing temporary stays behind.
        let left = try #require(FileManager.default.enumerator(atPath: place.file("objects"))).allObjects
        #expect(left.allSatisfy { !"\($0)".hasSuffix(".new") })
    }

    @Test func damageIsSaidAndPuttingRepairs() throws {
        let place = try TemporaryDirectory()
        let store = try DirectoryObjectStore(root: place.file("objects"))
        let bytes = Array("what a window was computed from".utf8)
        let digest = try store.put(bytes)
        for damaged in [Array(bytes.dropLast()), bytes + [0], [], [bytes[0] ^ 1] + bytes.dropFirst()] {
            try Data(damaged).write(to: URL(fileURLWithPath: path(place, digest)))
            let error = #expect(throws: ObjectError.self) { try store.get(digest) }
            guard case .damaged(let text) = error else {
                Issue.record("\(String(describing: error)) is not .damaged")
                continue
            }
            #expect(text.contains("restore"))
            #expect(try store.put(bytes) == digest)
            #expect(try store.get(digest) == bytes)
        }
    }

    /// A crash leaves a temporary file; a put that lost its answer is put again.
    @Test func leftoversAreNoObjects() throws {
        let place = try TemporaryDirectory()
        let store = try DirectoryObjectStore(root: place.file("objects"))
        let digest = try store.put([1, 2, 3])
        let directory = place.file("objects/\("\(digest)".prefix(2))")
        for name in [".0011.new", "\(digest)".uppercased(), "x", String("\(digest)".dropLast())] {
            try Data([1]).write(to: URL(fileURLWithPath: "\(directory)/\(name)"))
        }
        try Data([1]).write(to: URL(fileURLWithPath: place.file("objects/README")))
        #expect(try store.list() == [digest])
        #expect(try store.put([1, 2, 3]) == digest)
    }

    @Test func refusesWhatIsTooLargeAndSaysWhereItCannotWrite() throws {
        let place = try TemporaryDirectory()
        #expect(throws: ObjectError.self) { try DirectoryObjectStore(root: place.file("no/parent")) }
        try Data().write(to: URL(fileURLWithPath: place.file("file")))
        let store = try DirectoryObjectStore(root: place.file("file"))
        #expect(throws: ObjectError.self) { try store.put([1]) }
        #expect(throws: ObjectError.self) { try store.list() }
        #expect(throws: ObjectError.self) { try store.get(.zero) }
    }

    @Test func manyWritersPutTheSame() throws {
        let place = try TemporaryDirectory()
        let store = try DirectoryObjectStore(root: place.file("objects"))
        let bytes = [UInt8](repeating: 9, count: 10_000)
        DispatchQueue.concurrentPerform(iterations: 16) { _ in
            do { #expect(try store.put(bytes) == Digest(of: bytes)) } catch { Issue.record(error) }
        }
        #expect(try store.list() == [Digest(of: bytes)])
        #expect(try store.get(Digest(of: bytes)) == bytes)
    }
}
