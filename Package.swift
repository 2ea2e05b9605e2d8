// swift-tools-version: 6.2
// The architecture as a dependency list: an arrow that is not here does not compile.
import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

func room(_ name: String, _ path: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: path, swiftSettings: strict)
}

func command(_ name: String, _ path: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, path: path, swiftSettings: strict)
}

func tests(_ name: String, _ path: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, path: path, exclude: exclude, swiftSettings: strict)
}

func library(_ name: String, _ path: String, pkgConfig: String, apt: String) -> Target {
    .systemLibrary(name: name, path: path, pkgConfig: pkgConfig, providers: [.apt([apt])])
}

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let sqlite: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let http: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let signals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let nio: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioHTTP: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

let package = Package(
    name: "kilomint",
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // C libraries: module maps, nothing else.
        library("CModbus", "Shared/CModbus", pkgConfig: "libmodbus", apt: "libmodbus-dev"),
        library("CMosquitto", "Shared/CMosquitto", pkgConfig: "libmosquitto", apt: "libmosquitto-dev"),
        library("COpenSSL", "Shared/COpenSSL", pkgConfig: "openssl", apt: "libssl-dev"),
        library("CSQLite", "Shared/CSQLite", pkgConfig: "sqlite3", apt: "libsqlite3-dev"),
        library("CYAML", "Shared/CYAML", pkgConfig: "yaml-0.1", apt: "libyaml-dev"),

        // Shared: what agent, collector and an outside verifier agree on.
        room("Quantities", "Shared/Quantities"),
        room("CBOR", "Shared/CBOR"),
        room("Proofs", "Shared/Proofs", ["COpenSSL"]),
        room("Evidence", "Shared/Evidence", ["Quantities", "CBOR", "Proofs"]),
        room("Metering", "Shared/Metering", ["Quantities", "CBOR", "Proofs", "Settings"]),
        room("Settings", "Shared/Settings", ["CYAML"]),
        room("Keys", "Shared/Keys", ["Evidence", "Proofs", "COpenSSL"]),
        room("MQTT", "Shared/MQTT", ["CMosquitto"]),

        // Agent: Core decides, IO touches the world, Command builds the parts.
        room("AgentCore", "Agent/Core", ["Quantities", "CBOR", "Evidence", "Metering", "Proofs"]),
        room("AgentIO", "Agent/IO", ["AgentCore", "Keys", "MQTT", "Settings", "CModbus", "CSQLite"]),
        command("kilomint-agent", "Agent/Command", ["AgentCore", "AgentIO"]),

        // Collector: Core folds, Journal keeps, IO touches the world.
        room("CollectorCore", "Collector/Core", ["Quantities", "CBOR", "Evidence", "Metering", "Proofs"]),
        room("CollectorJournal", "Collector/Journal", ["CollectorCore", "Keys", sqlite]),
        room(
            "CollectorIO", "Collector/IO",
            ["CollectorCore", "CollectorJournal", "Keys", "MQTT", "Settings", http, httpTypes, lifecycle, signals, logging]),
        room("CollectorClient", "Collector/Client", [httpClient, nio, nioHTTP]),
        command(
            "kilomint-collector", "Collector/Command",
            [
                "CollectorCore", "CollectorJournal", "CollectorIO", "CollectorClient", "Evidence", "Keys", "Metering", "Proofs",
                "Quantities", "Settings", argumentParser,
            ]),
        command(
            "kilomint-audit", "Collector/Audit",
            ["CollectorCore", "CollectorClient", "CBOR", "Evidence", "Keys", "Metering", "Proofs", "Quantities", argumentParser]),

        // The virtual plant: development, training, demonstration.
        room("PlantModel", "Tests/Plant/Model", ["Quantities", "Settings"]),
        command("kilomint-plant", "Tests/Plant/Command", ["PlantModel", "CModbus"]),

        // Tests.
        room("Kit", "Tests/Kit", ["Quantities", "Evidence", "Keys", "MQTT"]),
        tests("QuantitiesTests", "Tests/Quantities", ["Quantities", "Kit"]),
        tests("CBORTests", "Tests/CBOR", ["CBOR", "Kit"]),
        tests("ProofsTests", "Tests/Proofs", ["Proofs", "Evidence", "Keys", "Kit"]),
        tests("EvidenceTests", "Tests/Evidence", ["Evidence", "Quantities", "CBOR", "Proofs", "Keys", "Kit"]),
        tests("MeteringTests", "Tests/Metering", ["Metering", "Kit"]),
        tests("SettingsTests", "Tests/Settings", ["Settings", "Kit"]),
        tests("KeysTests", "Tests/Keys", ["Keys", "COpenSSL", "Evidence", "Quantities", "Kit"]),
        tests("MQTTTests", "Tests/MQTT", ["MQTT", "Kit"]),
        tests("AgentCoreTests", "Tests/AgentCore", ["AgentCore", "Kit"]),
        tests("AgentIOTests", "Tests/AgentIO", ["AgentIO", "Kit"]),
        tests("CollectorCoreTests", "Tests/CollectorCore", ["CollectorCore", "Kit"]),
        tests("CollectorJournalTests", "Tests/CollectorJournal", ["CollectorJournal", "Kit"]),
        tests("CollectorIOTests", "Tests/CollectorIO", ["CollectorIO", "Kit"]),
        tests("PlantTests", "Tests/Plant/Tests", ["PlantModel", "Kit"]),
        tests("TidyTests", "Tests/Tidy", [], exclude: ["ratchet.txt"]),
        tests("SystemTests", "Tests/System", ["Kit"]),
    ],
    swiftLanguageModes: [.v6]
)
