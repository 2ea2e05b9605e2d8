// A house's published files, behind its URL or in an exported directory: both have the layout of docs/formats/logs.md.
// Reads whole files; believes nothing of what it reads.

internal import Foundation

/// Why a file of a house could not be read at all. A file that is not there is no error: it is nil.
package struct ArchiveError: Error, CustomStringConvertible, Sendable {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// Where a house's published files lie.
package struct Archive: Sendable {
    /// Largest file taken.
    package static let fileBytesMax = HouseClient.answerBytesMax

    private enum Place: Sendable {
        case url(HouseClient)
        case directory(String)
    }

    /// The URL or the directory, for people.
    package let name: String
    private let place: Place

    package init(url: String, tokenFile: String?) throws {
        name = url
        place = .url(try HouseClient(url: url, tokenFile: tokenFile))
    }

    /// - Throws: ``ArchiveError`` when there is no such directory.
    package init(directory: String) throws {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: directory, isDirectory: &isDirectory), isDirectory.boolValue else {
            throw ArchiveError(
                "\(directory) is no directory: name one that `kilomint-collector export` wrote, or give --url")
        }
        name = directory
        place = .directory(directory)
    }

    /// The file at `path` (relative, as in logs.md); nil when there is none.
    ///
    /// - Throws: ``ArchiveError`` when the house cannot be reached or does not let us read.
    package func read(_ path: String) async throws -> [UInt8]? {
        switch place {
        case .url(let client):
            do { return try await client.get("/" + path) } catch let error as HouseAnswerError {
                throw ArchiveError(Self.advice(error))
            } catch {
                throw ArchiveError("\(name) cannot be reached (\(error)): is the house up, and is the URL right?")
            }
        case .directory(let root):
            let file = root + "/" + path
            guard FileManager.default.fileExists(atPath: file) else { return nil }
            do { return Array(try Data(contentsOf: URL(fileURLWithPath: file))) } catch {
                throw ArchiveError("\(file) cannot be read: \(error.localizedDescription)")
            }
        }
    }

    private static func advice(_ error: HouseAnswerError) -> String {
        switch error.status {
        case 401: "\(error.description): give --token-file with a token of this house"
        case 403: "\(error.description): this token's role may not read records; give one of role auditor or operator"
        default: error.description
        }
    }
}
