// Builds the parts of a running collector and runs them together: house, driver, broker link, HTTP server.

internal import CollectorCore
internal import CollectorJournal
internal import Foundation
internal import Hummingbird
internal import Keys
internal import Logging
internal import Proofs
internal import ServiceLifecycle
internal import Settings
internal import Supervision
internal import UnixSignals

/// Something outside is not there when the collector starts.
package struct ServiceStartError: Error, CustomStringConvertible {
    package let description: String
    /// sysexits(3): 69 unavailable, 78 configuration.
    package let exitCode: Int32
}

package enum CollectorService {
    /// Tokens shorter than this are refused: they can be guessed.
    private static let tokenCharactersMin = 16

    /// - Parameter acceptsMissingWitness: see ``HouseStores``.
    package static func run(_ configuration: CollectorConfiguration, acceptsMissingWitness: Bool = false) async throws {
        var logger = Logger(label: "kilomint-collector")
        logger.logLevel = .info
        let house = try await openHouse(configuration, acceptsMissingWitness, logger)
        let routes = HouseRoutes(
            house: house, tokens: try tokens(configuration), openReads: configuration.http.openReads)
        try requireFree(configuration.http.host, configuration.http.port, key: "http.port")
        let supervisor = Supervisor.ofThisProcess()
        let server = Application(
            router: routes.router(),
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.http.host, port: configuration.http.port), serverName: "kilomint"),
            onServerRunning: { _ in supervisor.ready("both logs are folded; \(configuration.http.port) is open") },
            logger: logger)
        let links = try links(configuration.broker, house, logger)
        let driver = HouseDriver(house: house, objects: configuration.data + "/objects")
        // Stopped in reverse: first nothing comes in, then nothing is decided, then nobody can look.
        let services: [any Service] =
            [server, driver] + links + (try await enrolment(configuration, house, logger))
            + [SupervisorLink(house: house, supervisor: supervisor)]
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map { ServiceGroupConfiguration.ServiceConfiguration(service: $0) },
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await group.run()
    }

    /// The enrolment port, if the configuration has one.
    private static func enrolment(
        _ configuration: CollectorConfiguration, _ house: House, _ logger: Logger
    ) async throws -> [any Service] {
        guard let section = configuration.enrolment else { return [] }
        try requireFree(section.host, section.port, key: "enrolment.port")
        do {
            let server = try await EnrolmentServer.make(section, house, logger)
            // Before anybody hears that we are ready: a broker that starts after us needs the list.
            await house.keepRevocationList()
            return [server]
        } catch { throw ServiceStartError(description: "enrolment: \(error)", exitCode: SettingsError.exitCode) }
    }

    private static func links(
        _ broker: CollectorConfiguration.Broker, _ house: House, _ logger: Logger
    ) throws -> [BrokerLink] {
        let password = try broker.passwordFile.map(firstLine)
        let tls = try tls(broker)
        return (0..<broker.partitions).map { number in
            BrokerLink(
                house: house, broker: broker, tls: tls, password: password,
                share: PartitionShare(number: number, count: broker.partitions), logger: logger)
        }
    }

    /// Every file is tried once, so that a wrong one is found before anything runs.
    private static func tls(_ broker: CollectorConfiguration.Broker) throws -> TLSClient? {
        guard let authorities = broker.tlsCAFile else { return nil }
        do {
            var client = TLSClient(trust: .file(authorities))
            if let chain = broker.certificateFile, let key = broker.keyFile {
                client.identity = TLSClient.Identity(chain: .file(chain), key: try PrivateKey.load(path: key))
            }
            _ = try client.context(for: broker.host)
            return client
        } catch { throw ServiceStartError(description: "mqtt: \(error)", exitCode: SettingsError.exitCode) }
    }

    /// Everything that is wrong with the configuration or the house's files ends here, with what to do.
    private static func openHouse(
        _ configuration: CollectorConfiguration, _ acceptsMissingWitness: Bool, _ logger: Logger
    ) async throws -> House {
        do {
            return try await foldedHouse(configuration, acceptsMissingWitness, logger)
        } catch let error as SettingsError {
            throw error
        } catch let error as LogError {
            throw ServiceStartError(description: "\(configuration.data): \(error)", exitCode: status(error))
        } catch {
            throw ServiceStartError(description: "\(error)", exitCode: SettingsError.exitCode)
        }
    }

    private static func status(_ error: LogError) -> Int32 {
        switch error {
        case .unsuitable: SettingsError.exitCode
        case .inUse, .full, .storage: 69
        case .behind, .duplicateID, .moved, .refused, .damaged: 70
        }
    }

    private static func foldedHouse(
        _ configuration: CollectorConfiguration, _ acceptsMissingWitness: Bool, _ logger: Logger
    ) async throws -> House {
        let keys = try HouseKeys(configuration.keys)
        let profiles = try ProfileShelf.load(folder: configuration.profiles)
        guard FileManager.default.fileExists(atPath: configuration.data + "/journal.sqlite") else {
            throw HouseStartError.noGenesis
        }
        let stores = try HouseStores.open(
            data: configuration.data, witness: configuration.witness, originBase: configuration.logOrigin,
            logKey: keys.log, acceptsMissingWitness: acceptsMissingWitness)
        let house = try House(
            configuration: configuration, stores: stores, keys: keys, profiles: profiles, logger: logger)
        try await house.start()
        return house
    }

    private static func tokens(_ configuration: CollectorConfiguration) throws -> [(text: String, role: AccessRole)] {
        var tokens: [(text: String, role: AccessRole)] = []
        for token in configuration.tokens {
            let text = try firstLine(token.file)
            guard text.count >= tokenCharactersMin else {
                throw ServiceStartError(
                    description:
                        "\(token.file): the token of role \(token.role.rawValue) has \(text.count) characters; at least \(tokenCharactersMin) are allowed (openssl rand -hex 24)",
                    exitCode: SettingsError.exitCode)
            }
            tokens.append((text, token.role))
        }
        return tokens
    }

    private static func firstLine(_ path: String) throws -> String {
        String(decoding: try SettingsFile.read(path: path), as: UTF8.self).split(whereSeparator: \.isNewline).first.map(
            String.init) ?? ""
    }

    /// Says which port is taken before anything else is started.
    private static func requireFree(_ host: String, _ port: Int, key: String) throws {
        guard !PortProbe.isTaken(host: host, port: port) else {
            throw ServiceStartError(
                description:
                    "port \(port) on \(host) is taken: stop what listens there (ss -ltnp 'sport = :\(port)') or set \(key) to another",
                exitCode: 69)
        }
    }
}
