// The few JSON answers of a house that commands read. Fields they do not use are ignored.

internal import CollectorClient
internal import CollectorCore
internal import Foundation
internal import Proofs
internal import Quantities

/// `GET /v1/house`.
struct HouseState: Decodable {
    let now: UTCInstant
    let freshness: Int64

    private enum Keys: String, CodingKey {
        case now
        case freshness = "freshness_ms"
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Keys.self)
        let text = try fields.decode(String.self, forKey: .now)
        guard let now = UTCInstant(text) else {
            throw DecodingError.dataCorruptedError(forKey: .now, in: fields, debugDescription: "\(text) is no instant")
        }
        self.now = now
        freshness = try fields.decode(Int64.self, forKey: .freshness)
    }

    static func get(_ client: HouseClient) async throws -> HouseState { try await client.json("/v1/house") }
}

/// `GET /audit/transcript/{window}`.
struct TranscriptAnswer: Decodable {
    /// Base64.
    let seal: String

    static func get(_ window: WindowID, _ client: HouseClient) async throws -> TranscriptAnswer {
        try await client.json("/audit/transcript/\(window)")
    }
}

extension HouseClient {
    func json<Answer: Decodable>(_ path: String) async throws -> Answer {
        guard let bytes = try await get(path) else {
            throw ArchiveError("GET \(path): the house has no such thing (yet)")
        }
        do { return try JSONDecoder().decode(Answer.self, from: Data(bytes)) } catch {
            throw ArchiveError("GET \(path) was answered with something else than docs/formats/http.md says: \(error)")
        }
    }
}
