// Before enrolment an agent reads, signs and stores; when the enrolled folder appears it sends what it kept, without a
// restart. `init` makes key and spool, and never twice.

internal import AgentIO
internal import Evidence
internal import Foundation
internal import Keys
internal import Kit
internal import Quantities
internal import Testing

@Suite(.serialized) struct EnrolmentTests {
    /// The yard's configuration of a gateway that is not enrolled yet.
    private func notEnrolled(_ yard: Yard, zero: Int64) -> String {
        yard.configuration(zero: zero).split(separator: "\n")
            .filter { !$0.hasPrefix("key_list") && !$0.hasPrefix("root_key") }.joined(separator: "\n") + "\n"
    }

    private func until(
        _ what: String, _ yard: Yard, _ collector: MiniCollector? = nil, _ holds: () async throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while try await !holds() {
            guard ContinuousClock.now < deadline else {
                throw KitError("never: \(what)\n\(try yard.agentLog().suffix(3000))")
            }
            if let collector { try collector.step() } else { try await Task.sleep(for: .milliseconds(50)) }
        }
    }

    private func status(_ yard: Yard) async throws -> String {
        try await run(
            try Workplace.program("kilomint-agent"), ["status", "--config", yard.place.file("agent.yaml")]
        ).output
    }

    @Test func whatWasKeptBeforeEnrolmentIsSentWhenTheFolderAppears() async throws {
        let yard = try Yard()
        try yard.startBroker()
        let zero = Yard.now()
        try yard.startPlant(zero: zero)
        let text = notEnrolled(yard, zero: zero)
        try text.write(toFile: yard.place.file("agent.yaml"), atomically: true, encoding: .utf8)
        let program = try Workplace.program("kilomint-agent")
        let check = try await run(program, ["config", "check", "--config", yard.place.file("agent.yaml")])
        #expect(check.status == .exited(0) && check.output.contains("not enrolled"), "\(check.output)")
        try yard.startAgent(configuration: text)
        try await until("records are kept", yard) { try await self.status(yard).contains("reads for the next commit") }
        try await until("the status says what to do", yard) {
            let said = try await self.status(yard)
            return said.contains("NOT ENROLLED") && said.contains("kilomint-agent enroll")
                && !said.contains("records    0 signed")
        }
        let collector = try yard.collector()
        // Signed before anybody trusted it: taken when somebody does.
        try yard.enrol()
        try await until("what was kept is receipted", yard, collector) { collector.head > 2 }
        try await until("the status says enrolled", yard, collector) {
            try await run(program, ["status", "--json", "--config", yard.place.file("agent.yaml")]).output
                .contains("\"enrolment\":\"enrolled\"")
        }
        #expect(collector.refusals == [] && collector.records.first?.place.sequence == 1)
        #expect(try yard.agentLog().contains("enrolment taken up"))
        #expect(!(try await status(yard)).contains("NOT ENROLLED"))
    }

    @Test func aReplacedBoxBeginsAStreamThatSaysSo() async throws {
        let yard = try Yard()
        try yard.startBroker()
        let zero = Yard.now()
        try yard.startPlant(zero: zero)
        try yard.startAgent(configuration: notEnrolled(yard, zero: zero))
        try await until("records are kept", yard) {
            let said = try await self.status(yard)
            return said.contains("NOT ENROLLED") && !said.contains("records    0 signed")
        }
        try ReplacedBox(folder: yard.place.file("spool")).mark()
        let collector = try yard.collector()
        try yard.enrol()
        try await until("the second stream is receipted", yard, collector) {
            collector.streams.count == 2 && collector.head > 2
        }
        // What was kept before goes out first, whole; the birth after it names it.
        guard case .birth(let birth)? = collector.records.first?.body else { throw KitError("no birth") }
        let first = collector.streams[0]
        #expect(birth.predecessor?.reason == "the gateway's box was replaced")
        #expect(birth.predecessor?.stream == first.id && birth.predecessor?.lastSequence == first.taken.last?.through)
        #expect(collector.refusals == [])
        #expect(!FileManager.default.fileExists(atPath: yard.place.file("spool/replaced")))
    }

    @Test func aFolderThatIsNotSignedByItsRootIsRefusedAndReadingGoesOn() async throws {
        let yard = try Yard()
        try yard.startBroker()
        let zero = Yard.now()
        try yard.startPlant(zero: zero)
        try yard.enrol()
        let other = try PrivateKey.generate(.es256).publicKey.spki.hex
        try other.write(toFile: yard.place.file("spool/enrolled/root.spki"), atomically: true, encoding: .utf8)
        try yard.startAgent(configuration: notEnrolled(yard, zero: zero))
        try await until("the refusal is shown", yard) {
            let said = try await self.status(yard)
            return said.contains("NOT USABLE") && said.contains("not signed by")
                && !said.contains("records    0 signed")
        }
        // Put right, it is taken up.
        try yard.enrol()
        let collector = try yard.collector()
        try await until("what was kept is receipted", yard, collector) { collector.head > 2 }
    }

    /// Numbers of two roots have nothing to do with each other; of one root an older list is not believed again, not after a
    /// restart either.
    @Test func aFirstListOfAnotherRootIsBelievedAndAnOlderOneOfTheSameIsNot() async throws {
        let yard = try Yard()
        try yard.startBroker()
        let zero = Yard.now()
        try yard.startPlant(zero: zero)
        let text = notEnrolled(yard, zero: zero)
        let collector = try yard.collector()
        let roots = [try PrivateKey.generate(.eddsa), try PrivateKey.generate(.es256)]
        func list(_ number: UInt64, root: Int) throws {
            let list = KeyList(
                number: number, issuedAt: UTCInstant(milliseconds: 0),
                entries: [
                    KeyList.Entry(
                        spki: yard.receiptKey.publicKey.spki, role: .receipt, validFrom: UTCInstant(milliseconds: 0),
                        validTo: UTCInstant(milliseconds: 4_000_000_000_000))
                ])
            let message = try SignedMessage.signing(list.encoded, as: .keyList, with: roots[root])
            try Workplace.write(message.encoded, to: yard.place.file("key-list.cbor"))
            try Workplace.write(Array(roots[root].publicKey.spki.hex.utf8), to: yard.place.file("root.hex"))
            try yard.enrol()
        }
        func goesOn(_ what: String) async throws {
            try await until("\(what) is believed", yard, collector) {
                let said = try await self.status(yard)
                return said.contains("connected") && !said.contains("NOT USABLE")
            }
            let before = collector.head
            try await until("records go on with \(what)", yard, collector) { collector.head > before }
        }
        try list(5, root: 0)
        try yard.startAgent(configuration: text)
        try await goesOn("list 5")
        try list(1, root: 1)
        try await until("it is taken up", yard, collector) { try yard.agentLog().contains("enrolment taken up") }
        try await goesOn("the other root's list 1")
        for number in [UInt64(3), 2] {
            yard.agent?.kill(9)
            _ = try await yard.agent?.wait()
            try list(number, root: 1)
            try yard.startAgent(configuration: text)
            if number == 3 { try await goesOn("list 3") }
        }
        try await until("the older list is refused", yard, collector) {
            let said = try await self.status(yard)
            return said.contains("NOT USABLE") && said.contains("number 2 is older than 3")
        }
        #expect(collector.refusals == [])
    }

    @Test func aPowerCutAtAnyStepLeavesTheOldFolderOrTheNew() throws {
        struct Cut: Error {}
        let place = try TemporaryDirectory()
        let folder = EnrolledFolder(place.file("enrolled"))
        func files(_ text: String) -> [(name: String, bytes: [UInt8])] {
            ["server", "ca.pem"].map { ($0, Array(text.utf8)) }
        }
        func content() throws -> Set<String> {
            Set(try ["server", "ca.pem"].map { try String(contentsOfFile: folder.path + "/" + $0, encoding: .utf8) })
        }
        try folder.replace(with: files("0"))
        for (round, step) in EnrolledFolder.Step.allCases.enumerated() {
            let before = try content()
            #expect(throws: Cut.self) {
                try folder.replace(with: files("\(round) cut")) { if $0 == step { throw Cut() } }
            }
            let isExchanged = [.syncParent, .removeFormer].contains(step)
            #expect(try content() == (isExchanged ? ["\(round) cut"] : before), "\(step)")
            // Whatever was left over: the next attempt goes through.
            let stamp = folder.stamp
            try folder.replace(with: files("\(round) done"))
            #expect(try content() == ["\(round) done"] && folder.stamp != stamp)
            #expect(!FileManager.default.fileExists(atPath: folder.path + ".new"))
        }
    }

    @Test func initMakesKeyAndSpoolOnceAndKeepsThem() async throws {
        let yard = try Yard()
        let program = try Workplace.program("kilomint-agent")
        let file = yard.place.file("agent.yaml")
        let text = notEnrolled(yard, zero: Yard.now()).replacing("gateway.pem", with: "made.pem")
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        let first = try await run(program, ["init", "--config", file])
        #expect(first.status == .exited(0), "\(first.output)")
        #expect(first.output.contains("made.pem") && first.output.contains("kilomint-agent enroll"))
        let key = try PrivateKey.load(path: yard.place.file("made.pem"))
        #expect(first.output.contains(key.publicKey.spki.hex))
        #expect(FileManager.default.fileExists(atPath: yard.place.file("spool/spool.db")))
        let marks = try Data(contentsOf: URL(fileURLWithPath: yard.place.file("spool/marks")))

        let second = try await run(program, ["init", "--config", file, "--gateway", "gw-1"])
        #expect(second.status == .exited(0) && second.output.contains(key.publicKey.spki.hex), "\(second.output)")
        #expect(!second.output.contains("  made\n"))
        #expect(try PrivateKey.load(path: yard.place.file("made.pem")).publicKey == key.publicKey)
        #expect(try Data(contentsOf: URL(fileURLWithPath: yard.place.file("spool/marks"))) == marks)

        let other = try await run(program, ["init", "--config", file, "--gateway", "gw-2"])
        #expect(other.status == .exited(78) && other.output.contains("gw-2"), "\(other.output)")
        // A key that cannot be read is looked at by a person, not replaced.
        try "nonsense".write(toFile: yard.place.file("made.pem"), atomically: false, encoding: .utf8)
        let broken = try await run(program, ["init", "--config", file])
        #expect(broken.status == .exited(78) && broken.output.contains("PKCS#8"), "\(broken.output)")
        #expect(try String(contentsOfFile: yard.place.file("made.pem"), encoding: .utf8) == "nonsense")
    }
}
