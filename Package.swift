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

/// The agent on a gateway: what nothing calls is left out, relocations that the loader touches at each start are packed (DT_RELR,
/// glibc 2.36), and of the C++ runtime only what Swift's calls is there: two megabytes less in memory. What runs all the time stands
/// together (packaging/link/order.py): the system maps sixteen pages for each one that is touched. Two megabytes more.
let small: [LinkerSetting] = [
    .unsafeFlags(
        [
            "-use-ld=lld", "-Xlinker", "--gc-sections", "-Xlinker", "--icf=safe", "-Xlinker", "-z", "-Xlinker",
            "pack-relative-relocs", "-Xlinker", "--no-export-dynamic", "-Xlinker", "--as-needed",
            "-L\(Context.packageDirectory)/packaging/link", "-Xclang-linker", "-static-libgcc", "-Xlinker",
            "--symbol-ordering-file=\(Context.packageDirectory)/packaging/link/agent.order", "-Xlinker",
            "--no-warn-symbol-ordering",
        ],
        .when(configuration: .release))
]

/// The agent's own code is compiled for size: it waits for meters, and its pages are a third of its memory.
func settings(_ path: String) -> [SwiftSetting] {
    path.hasPrefix("Agent/") ? strict + [.unsafeFlags(["-Osize"], .when(configuration: .release))] : strict
}

func room(_ name: String, _ path: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: path, swiftSettings: settings(path))
}

func command(
    _ name: String, _ path: String, _ dependencies: [Target.Dependency], exclude: [String] = [],
    linker: [LinkerSetting] = []
) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies, path: path, exclude: exclude, swiftSettings: settings(path),
        linkerSettings: linker)
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
let httpTesting: Target.Dependency = .product(name: "HummingbirdTesting", package: "hummingbird")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let signals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let httpTLS: Target.Dependency = .product(name: "HummingbirdTLS", package: "hummingbird")
let httpCore: Target.Dependency = .product(name: "HummingbirdCore", package: "hummingbird")
let certificates: Target.Dependency = .product(name: "X509", package: "swift-certificates")
let asn1: Target.Dependency = .product(name: "SwiftASN1", package: "swift-asn1")
let tls: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let nio: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioHTTP: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

let package = Package(
    name: "kilomint",
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // C libraries: module maps.
        .systemLibrary(name: "CLinux", path: "Shared/CLinux"),
        library("CModbus", "Shared/CModbus", pkgConfig: "libmodbus", apt: "libmodbus-dev"),
        library("CMosquitto", "Shared/CMosquitto", pkgConfig: "libmosquitto", apt: "libmosquitto-dev"),
        // Twenty lines of C of ours: what Swift cannot do, setjmp(3).
        .target(name: "CMosquittoGuard", path: "Shared/CMosquittoGuard"),
        library("COpenSSL", "Shared/COpenSSL", pkgConfig: "openssl", apt: "libssl-dev"),
        // No pkg-config: declarations alone. Linking libp11-kit would load it into every agent.
        .systemLibrary(name: "CPKCS11", path: "Shared/CPKCS11", providers: [.apt(["libp11-kit-dev"])]),
        library("CQREncode", "Shared/CQREncode", pkgConfig: "libqrencode", apt: "libqrencode-dev"),
        library("CSQLite", "Shared/CSQLite", pkgConfig: "sqlite3", apt: "libsqlite3-dev"),
        library("CYAML", "Shared/CYAML", pkgConfig: "yaml-0.1", apt: "libyaml-dev"),

        // Shared: what agent, collector and an outside verifier agree on.
        room("Quantities", "Shared/Quantities"),
        room("CBOR", "Shared/CBOR"),
        room("Proofs", "Shared/Proofs", ["COpenSSL"]),
        room("Evidence", "Shared/Evidence", ["CBOR", "Proofs", "Quantities"]),
        room("Metering", "Shared/Metering", ["CBOR", "Proofs", "Quantities", "Settings"]),
        room("Settings", "Shared/Settings", ["CYAML"]),
        room("Keys", "Shared/Keys", ["COpenSSL", "CPKCS11", "Evidence", "Proofs", "Quantities"]),
        room("HTTPS", "Shared/HTTPS", ["COpenSSL", "Keys"]),
        room("MQTT", "Shared/MQTT", ["CMosquitto", "CMosquittoGuard", "Keys"]),
        room("Supervision", "Shared/Supervision"),

        // Agent: Core decides, IO touches the world, Command builds the parts.
        room("AgentCore", "Agent/Core", ["CBOR", "Evidence", "Metering", "Proofs", "Quantities"]),
        room(
            "AgentIO", "Agent/IO",
            [
                "AgentCore", "CBOR", "CLinux", "CSQLite", "Evidence", "HTTPS", "Keys", "MQTT", "Metering", "Proofs",
                "Quantities", "Settings", "Supervision",
            ]),
        command(
            "kilomint-agent", "Agent/Command", ["AgentIO", "Evidence", "HTTPS", "Keys", "Quantities", "Settings"],
            exclude: ["sample.yaml"], linker: small),

        // Collector: Core folds, Journal keeps, IO touches the world.
        room("CollectorCore", "Collector/Core", ["CBOR", "Evidence", "Metering", "Proofs", "Quantities"]),
        room(
            "CollectorJournal", "Collector/Journal",
            ["CBOR", "CollectorCore", "Evidence", "Keys", "Proofs", "Quantities", sqlite]),
        room(
            "CollectorIO", "Collector/IO",
            [
                "CBOR", "CollectorCore", "CollectorJournal", "Evidence", "Keys", "MQTT", "Metering", "Proofs",
                "Quantities", "Settings", "Supervision", http, httpCore, httpTLS, httpTypes, lifecycle, signals,
                logging, nio, tls,
                certificates, asn1,
            ]),
        room("CollectorClient", "Collector/Client", [httpClient, nio, nioHTTP]),
        command(
            "kilomint-collector", "Collector/Command",
            [
                "CBOR", "CQREncode", "CollectorClient", "CollectorCore", "CollectorIO", "CollectorJournal", "Evidence",
                "Keys",
                "Proofs", "Quantities", "Settings", argumentParser, logging,
            ], exclude: ["sample-collector.yaml", "sample-house.yaml", "sample-site.yaml"]),
        command(
            "kilomint-audit", "Collector/Audit",
            ["CollectorClient", "CollectorCore", "Evidence", "Keys", "Proofs", "Quantities", argumentParser]),

        // The virtual plant: development, training, demonstration.
        room("PlantModel", "Tests/Plant/Model", ["Quantities"]),
        command("kilomint-plant", "Tests/Plant/Command", ["CModbus", "PlantModel", "Quantities"]),

        // Figures: `make bench`.
        command(
            "kilomint-bench", "Tests/Benchmarks",
            [
                "CBOR", "CSQLite", "CModbus", "CollectorCore", "CollectorJournal", "Evidence", "Keys", "Kit",
                "Metering", "MQTT", "Proofs", "Quantities", "Settings",
            ], exclude: ["plain_reader.py", "run"]),

        // Tests.
        room("Kit", "Tests/Kit", ["MQTT"]),
        tests("QuantitiesTests", "Tests/Quantities", ["Kit", "Quantities"]),
        tests("CBORTests", "Tests/CBOR", ["CBOR", "Kit"]),
        tests("ProofsTests", "Tests/Proofs", ["Evidence", "Keys", "Kit", "Proofs"]),
        tests("EvidenceTests", "Tests/Evidence", ["CBOR", "Evidence", "Keys", "Kit", "Proofs", "Quantities"]),
        tests("MeteringTests", "Tests/Metering", ["Kit", "Metering", "Quantities", "Settings"]),
        tests("SettingsTests", "Tests/Settings", ["Kit", "Settings"]),
        tests("KeysTests", "Tests/Keys", ["COpenSSL", "Evidence", "Keys", "Kit", "Quantities"]),
        tests("HTTPSTests", "Tests/HTTPS", ["HTTPS"]),
        tests("MQTTTests", "Tests/MQTT", ["Evidence", "Keys", "Kit", "MQTT", "Quantities"]),
        tests("SupervisionTests", "Tests/Supervision", ["Kit", "Supervision"]),
        tests(
            "AgentCoreTests", "Tests/AgentCore",
            ["AgentCore", "CBOR", "Evidence", "Kit", "Metering", "Proofs", "Quantities", "Settings"]),
        tests(
            "AgentIOTests", "Tests/AgentIO",
            [
                "AgentCore", "AgentIO", "CSQLite", "Evidence", "Keys", "Kit", "MQTT", "Metering", "Proofs",
                "Quantities", "Settings",
            ]),
        tests(
            "CollectorCoreTests", "Tests/CollectorCore",
            ["CBOR", "CollectorCore", "Evidence", "Keys", "Kit", "Metering", "Proofs", "Quantities", "Settings"]),
        tests(
            "CollectorJournalTests", "Tests/CollectorJournal",
            ["CBOR", "CollectorCore", "CollectorJournal", "Evidence", "Keys", "Kit", "Proofs", "Quantities", sqlite]),
        tests(
            "CollectorIOTests", "Tests/CollectorIO",
            [
                "CBOR", "CollectorCore", "CollectorIO", "CollectorJournal", "Evidence", "Keys", "Kit", "Metering",
                "Proofs", "Quantities", "Settings", http, httpTesting, httpTypes, logging,
            ]),
        tests("PlantTests", "Tests/Plant/Tests", ["Kit", "PlantModel", "Quantities"]),
        tests("TidyTests", "Tests/Tidy", [], exclude: ["ratchet.txt"]),
    ],
    swiftLanguageModes: [.v6]
)

// KILOMINT_ONLY=agent: what a gateway needs, and its tests. The collector's packages are then neither fetched nor built.
if Context.environment["KILOMINT_ONLY"] == "agent" {
    let others: Set = ["kilomint-collector", "kilomint-audit", "TidyTests"]
    package.targets.removeAll { others.contains($0.name) || $0.name.hasPrefix("Collector") }
    package.dependencies = []
    for bench in package.targets where bench.name == "kilomint-bench" {
        bench.dependencies = [
            "CBOR", "CModbus", "Evidence", "Keys", "Kit", "Metering", "MQTT", "Proofs", "Quantities", "Settings",
        ]
        bench.exclude += [
            "BenchHouse.swift", "IntakeFigures.swift", "IntakeRoom.swift", "LedgerFigures.swift", "LogFigures.swift",
            "WindowFigures.swift",
        ]
        bench.swiftSettings?.append(.define("KILOMINT_AGENT_ONLY"))
    }
}
