// A field that nothing reads is a promise that nobody keeps: each field of the schema is found in the code that acts on it.

import Foundation
import Kit
import Metering
import Testing

struct ProfileFieldsTests {
    /// Parsing, encoding, `profile show` and other programs' words for the same: they take a field and do nothing with it.
    private static let carriers = [
        "Shared/Metering/Profile.swift", "Shared/Metering/ProfileCBOR.swift", "Shared/Metering/ProfileSettings.swift",
        "Shared/Metering/Quantity.swift", "Shared/Metering/QuantityCBOR.swift",
        "Shared/Metering/QuantitySettings.swift",
        "Agent/IO/Profiles/ProfileSheet.swift",
    ]

    /// What is for people alone: `profile show` prints it, lint may ask for it.
    private static let forPeople: Set = [
        "source", "source.document", "source.revision", "source.place", "source.counts-from", "checked.by",
        "checked.how", "vendor",
    ]

    /// Field of the schema → its name in Swift and a file that acts on it. A quantity's and a field's place are one.
    private static let readers: [String: (name: String, file: String)] = [
        "profile": ("profile.name", "Agent/Core/MeterRegister.swift"),
        "revision": (".revision", "Agent/IO/Commissioning/ReportVerb.swift"),
        "models": (".models", "Agent/Core/DeviceSearch.swift"),
        "level": ("level", "Shared/Metering/ProfileGrade.swift"),
        "checked": ("checks", "Shared/Metering/ProfileLint.swift"),
        "checked.on": (".on", "Shared/Metering/ProfileRules.swift"),
        "contradictory": ("contradictions", "Shared/Metering/ProfileGrade.swift"),
        "limits": (".limits", "Agent/IO/Bus/BusLine.swift"),
        "limits.registers-max": ("limits.registersMax", "Shared/Metering/ReadPlan.swift"),
        "limits.gap-max": ("limits.gapMax", "Shared/Metering/ReadPlan.swift"),
        "limits.pause": ("limits.pauseMilliseconds", "Agent/IO/Bus/BusLine.swift"),
        "limits.turnaround": ("limits.turnaroundMilliseconds", "Agent/IO/Bus/BusLine.swift"),
        "limits.timeout": ("limits.timeoutMilliseconds", "Agent/IO/Bus/BusLine.swift"),
        "limits.timeout-max": ("limits.timeoutMaxMilliseconds", "Agent/IO/Bus/BusLine.swift"),
        "limits.connect-pause": ("connectPauseMilliseconds", "Agent/IO/Bus/BusLine.swift"),
        "limits.single-client": ("isSingleClient", "Agent/IO/Bus/BusLine.swift"),
        "limits.refresh": ("limits.refreshMilliseconds", "Agent/IO/Status/PlanTable.swift"),
        "limits.echo": ("limits.hasEcho", "Agent/Core/MeterPlan.swift"),
        "limits.one-value": ("limits.isOneValueOnly", "Shared/Metering/ReadPlan.swift"),
        "limits.either-function": (".answers(", "Shared/Metering/ReadDecoder.swift"),
        "holes": ("holes", "Shared/Metering/ReadPlan.swift"),
        "holes.function": ("$0.function", "Shared/Metering/ReadPlan.swift"),
        "holes.first": ("$0.first", "Shared/Metering/ReadPlan.swift"),
        "holes.last": ("$0.last", "Shared/Metering/ReadPlan.swift"),
        "sunspec": (".sunSpec", "Agent/Core/MeterWalk.swift"),
        "sunspec.bases": ("sunSpec.bases", "Agent/Core/MeterWalk.swift"),
        "sunspec.models": ("sunSpec?.models", "Shared/Metering/ReadPlan.swift"),
        "sunspec.models.id": ("model.id", "Shared/Metering/ReadPlan.swift"),
        "sunspec.models.lengths": ("model.lengths", "Shared/Metering/ReadPlan.swift"),
        "firmware": ("firmware", "Agent/IO/Profiles/MeterProfiles.swift"),
        "firmware.from": ("from", "Shared/Metering/FirmwareRange.swift"),
        "firmware.below": ("below", "Shared/Metering/FirmwareRange.swift"),
        "identity": ("identity.fields", "Agent/Core/MeterDoubts.swift"),
        "quantities": ("quantity(", "Shared/Metering/ReadPlan.swift"),
        "field.optional": ("isOptional", "Shared/Metering/ReadPlan.swift"),
        "field.expected": ("expected", "Shared/Metering/FirmwareRange.swift"),
        "field.type": ("type", "Shared/Metering/Identity.swift"),
        "field.registers": ("registers", "Shared/Metering/Identity.swift"),
        "quantity.obis": ("obis", "Shared/Metering/ReadDecoder.swift"),
        "quantity.kind": (".kind", "Shared/Metering/ReadDecoder.swift"),
        "quantity.unit": (".unit", "Agent/IO/Control/WatchVerb.swift"),
        "quantity.direction": ("direction", "Shared/Metering/ReadDecoder.swift"),
        "quantity.type": ("type", "Shared/Metering/ReadDecoder.swift"),
        "quantity.scale": ("countUnit", "Shared/Metering/ReadDecoder.swift"),
        "quantity.step": ("floatFactor", "Shared/Metering/ReadDecoder.swift"),
        "quantity.resolution": (".resolution", "Agent/IO/Bus/RecentSeries.swift"),
        "quantity.scale-factor": ("scaleFactor", "Shared/Metering/ReadDecoder.swift"),
        "quantity.scale-factor.address": ("scaleFactor", "Shared/Metering/ReadPlan.swift"),
        "quantity.scale-factor.offset": ("scaleFactor", "Shared/Metering/ReadPlan.swift"),
        "quantity.scale-factor.min": (".range", "Shared/Metering/ReadDecoder.swift"),
        "quantity.scale-factor.max": (".range", "Shared/Metering/ReadDecoder.swift"),
        "quantity.not-available": ("notAvailable", "Shared/Metering/ReadDecoder.swift"),
        "quantity.modulus": ("modulus", "Shared/Metering/ReadDecoder.swift"),
        "quantity.resettable": ("isResettable", "Shared/Metering/ProfileLint.swift"),
        "quantity.valid": ("valid", "Shared/Metering/ReadDecoder.swift"),
        "quantity.valid.min": ("valid", "Shared/Metering/ReadDecoder.swift"),
        "quantity.valid.max": ("valid", "Shared/Metering/ReadDecoder.swift"),
        "quantity.sign": (".sign", "Shared/Metering/ReadDecoder.swift"),
        "quantity.optional": ("isOptional", "Shared/Metering/ReadPlan.swift"),
        "quantity.registers-max": ("quantity.registersMax", "Shared/Metering/ReadPlan.swift"),
        "quantity.poll": (".poll", "Shared/Metering/ReadPlan.swift"),
        "quantity.contradictory": (".contradiction", "Shared/Metering/ProfileGrade.swift"),
    ]

    private static let places: [String: (name: String, file: String)] = [
        "function": (".function", "Shared/Metering/ReadPlan.swift"),
        "address": ("place.address", "Shared/Metering/ReadPlan.swift"),
        "model": ("place.model", "Shared/Metering/ReadPlan.swift"),
        "offset": ("place.address", "Shared/Metering/ReadPlan.swift"),
        "word-order": ("lowWordFirst", "Shared/Metering/RegisterType.swift"),
        "byte-order": ("lowByteFirst", "Shared/Metering/RegisterType.swift"),
    ]

    /// Key paths of the schema, items of lists under the list's own.
    private static func fields(_ schema: [String: Any], _ path: String) -> [String] {
        let properties = schema["properties"] as? [String: [String: Any]] ?? [:]
        return properties.flatMap { key, value -> [String] in
            let own = path.isEmpty ? key : path + "." + key
            let inner = (value["items"] as? [String: Any]) ?? value
            return [own] + fields(inner, own)
        }
    }

    @Test func eachFieldOfTheSchemaIsReadBySomething() throws {
        let bytes = Data(try Workplace.bytes(of: "firmware-profiles/profile.schema.json"))
        let schema = try #require(try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
        let parts = try #require(schema["$defs"] as? [String: [String: Any]])
        var all = Self.fields(schema, "").filter { !$0.hasPrefix("identity.") }
        for (name, part) in parts { all += Self.fields(part, name) }
        #expect(all.count > 70)
        var used: Set<String> = []
        for field in all.sorted() where !Self.forPeople.contains(field) {
            let last = field.split(separator: ".").last.map(String.init) ?? field
            let isPlace = field.split(separator: ".").count == 2 && parts.keys.contains { field.hasPrefix($0 + ".") }
            guard let reader = Self.readers[field] ?? (isPlace ? Self.places[last] : nil) else {
                Issue.record(
                    "\(field) is in the schema, and nothing is known to act on it: let the agent do so, or delete it")
                continue
            }
            used.insert(field)
            #expect(!Self.carriers.contains(reader.file), "\(field)")
            let text = try Workplace.text(of: reader.file)
            let code = text.split(separator: "\n").filter { !$0.drop { $0 == " " }.hasPrefix("//") }
            #expect(code.contains { $0.contains(reader.name) }, "\(field): \(reader.file) does not have \(reader.name)")
        }
        let stale = Set(Self.readers.keys).subtracting(used)
        #expect(stale.isEmpty, "\(stale.sorted()) is no field of the schema")
        // Each role of an identity is told, watched and judged by one loop over all of them.
        let roles = (schema["properties"] as? [String: [String: Any]])?["identity"]
        #expect(Set(Self.fields(roles ?? [:], "")) == Set(Identity.Role.allCases.map(\.name)))
    }
}
