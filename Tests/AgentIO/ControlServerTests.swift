// Callers of the control socket that do not behave: none holds up another one, none costs more than its place.

internal import Glibc
internal import Kit
internal import Quantities
internal import Settings
internal import Testing

@testable internal import AgentIO

@Suite(.serialized) struct ControlServerTests {
    /// A served socket with a board and no buses.
    private final class Desk {
        let place: TemporaryDirectory
        let path: String
        let remark: String?
        let stop = Mailbox<Never>(itemsMax: 1)
        let thread: WorkerThread

        init(access: ControlAccess = ControlAccess()) throws {
            place = try TemporaryDirectory()
            path = place.file("control.sock")
            let recorder = Recorder(clock: try MachineClock(house: .real), meters: [])
            let context = ControlContext(
                settings: nil, desk: BusDesk(), board: StatusBoard(recorder: recorder, buses: []))
            let listening = try ControlSocket.listen(path, access: access)
            remark = listening.remark
            let (listener, stop) = (listening.descriptor, stop)
            thread = try WorkerThread("control") {
                ControlServer(listener: listener, context: context, log: Log(write: { _ in })).run(stop: stop)
            }
        }

        deinit {
            stop.close()
            thread.join()
        }

        func ask(_ request: ControlRequest) throws -> [String] {
            var lines: [String] = []
            try ControlSocket.ask(path, request) { line in
                lines.append(line)
                return true
            }
            return lines
        }

        /// A connection of its own, without a request.
        func connect() throws -> Int32 {
            let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
            let result = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            guard result == 0 else {
                close(descriptor)
                throw KitError("no connection: \(errno)")
            }
            return descriptor
        }

        /// Everything the agent says to these bytes, until it closes.
        func say(_ bytes: [UInt8], _ descriptor: Int32) -> String {
            _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
            var answer: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 4_096)
            while answer.count < 1_000_000 {
                let count = recv(descriptor, &chunk, chunk.count, 0)
                guard count > 0 else { break }
                answer += chunk[..<count]
            }
            return String(decoding: answer, as: UTF8.self)
        }
    }

    @Test func answersEndWithTheirVerdict() throws {
        let desk = try Desk()
        #expect(try desk.ask(ControlRequest("status", ["format": "json"])).count == 1)
        #expect(try desk.ask(ControlRequest("status")).count > 3)
        let socket = try desk.connect()
        defer { close(socket) }
        let answer = desk.say(Array("status format=json\n".utf8), socket)
        #expect(answer.hasPrefix("{") && answer.hasSuffix("}\nok\n"), "\(answer)")
    }

    @Test(arguments: [
        ("nonsense", "nonsense is not known"), ("status colour=red", "does not know colour"),
        ("status format=red", "allowed: json, text"), ("read", "--config"), ("read unit=1", "unit needs endpoint"),
        ("read endpoint=tcp:127.0.0.1:1 function=6", "function 6: allowed: 3, 4, 17, 43"),
        ("read endpoint=tcp:127.0.0.1:1 function=5", "allowed: 3, 4, 17, 43"),
        ("read endpoint=tcp:127.0.0.1:1 count=126", "allowed: 1 … 125"),
        ("read endpoint=tcp:127.0.0.1:1 address=65535 count=2", "end above 65535"),
        ("read endpoint=tcp:127.0.0.1:1 as=f99", "allowed: u16"), ("read endpoint=x", "allowed: tcp:HOST:PORT"),
        ("read endpoint=tcp:127.0.0.1:1", "does not take a connection"),
    ])
    func refusalsSayWhatIsAllowed(line: String, words: String) throws {
        let desk = try Desk()
        let request = try ControlRequest(parsing: Array(line.utf8))
        do {
            _ = try desk.ask(request)
            Issue.record("not refused")
        } catch let error as ControlSocket.Failure { #expect("\(error)".contains(words), "\(error)") }
    }

    @Test func garbageAndEndlessLinesAreCutOff() throws {
        let desk = try Desk()
        let garbage = try desk.connect()
        defer { close(garbage) }
        #expect(desk.say([0xFF, 0x00, 0x80, 0x0A], garbage).hasPrefix("error "))
        let endless = try desk.connect()
        defer { close(endless) }
        // A socket takes some before the agent reads; it is never more than the bound and a piece.
        let answer = desk.say([UInt8](repeating: 0x61, count: 100_000), endless)
        #expect(answer.isEmpty || answer.hasPrefix("error the request is longer"), "\(answer.prefix(80))")
        #expect(try desk.ask(ControlRequest("status")).count > 3)
    }

    @Test func thousandsWhoSayNothingHoldNobodyUp() throws {
        let desk = try Desk()
        var silent: [Int32] = []
        defer { for socket in silent { close(socket) } }
        for round in 0..<2_000 {
            let socket = try desk.connect()
            // Half a request, from every second one.
            if round % 2 == 0 { _ = send(socket, "stat", 4, Int32(MSG_NOSIGNAL)) }
            silent.append(socket)
            if silent.count > 200 { close(silent.removeFirst()) }
            if round % 200 == 0 { #expect(try desk.ask(ControlRequest("status")).count > 3, "round \(round)") }
        }
    }

    @Test func whoDoesNotReadTakesOnePlace() throws {
        let desk = try Desk()
        var lazy: [Int32] = []
        defer { for socket in lazy { close(socket) } }
        for _ in 0..<ControlServer.userMax - 1 {
            let socket = try desk.connect()
            _ = send(socket, "status\n", 7, Int32(MSG_NOSIGNAL))
            lazy.append(socket)
        }
        for _ in 0..<50 { #expect(try desk.ask(ControlRequest("status")).count > 3) }
    }

    @Test func oneUserCannotTakeEveryPlace() throws {
        let desk = try Desk()
        var open: [Int32] = []
        defer { for socket in open { close(socket) } }
        // Watching never ends by itself.
        for _ in 0..<ControlServer.userMax {
            let socket = try desk.connect()
            _ = send(socket, "watch every=60000\n", 18, Int32(MSG_NOSIGNAL))
            var byte: UInt8 = 0
            // It has begun.
            #expect(recv(socket, &byte, 1, 0) == 1)
            open.append(socket)
        }
        #expect(throws: ControlSocket.Failure.self) { try desk.ask(ControlRequest("watch", ["times": "1"])) }
        // What ends by itself has places of its own.
        #expect(try desk.ask(ControlRequest("status")).count > 3)
        close(open.removeLast())
        let deadline = ContinuousClock.now + .seconds(20)
        while true {
            do {
                #expect(try desk.ask(ControlRequest("watch", ["times": "1"])).last == "end")
                return
            } catch is ControlSocket.Failure where ContinuousClock.now < deadline { usleep(20_000) }
        }
    }

    @Test func theFileSaysWhoMayCall() throws {
        var access = ControlAccess()
        let closed = try Desk()
        #expect(try mode(closed.path) == 0o600)
        access.mode = 0o660
        access.group = ControlAccess.Group(name: String(getgid()))
        let open = try Desk(access: access)
        #expect(try mode(open.path) == 0o660)
        #expect(open.remark == nil)
        // Whom it cannot be given to may not call, the owner may, and somebody is told.
        access.group = ControlAccess.Group(name: "no-such-group-here")
        let owners = try Desk(access: access)
        #expect(try mode(owners.path) == 0o600)
        #expect(owners.remark?.contains("groupadd --system no-such-group-here") == true)
        #expect(throws: ControlSocket.Failure.self) { try owners.ask(ControlRequest("nothing")) }
        #expect(!(try owners.ask(ControlRequest("status"))).isEmpty)
        #expect(throws: ControlSocket.Failure.self) {
            try ControlSocket.ask(closed.place.file("nobody.sock"), ControlRequest("status")) { _ in true }
        }
    }

    private func mode(_ path: String) throws -> mode_t {
        var status = stat()
        guard stat(path, &status) == 0 else { throw KitError("no \(path)") }
        return status.st_mode & 0o777
    }

    @Test func theKernelSaysWhoCalls() throws {
        var pair: [Int32] = [0, 0]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
        defer { for socket in pair { close(socket) } }
        #expect(ControlPeer(ofSocket: pair[0]) == .own)
        #expect(ControlPeer.own.text.contains("uid \(getuid())"))
        #expect(ControlPeer(user: 4_294_967_000, group: 0, process: 1).text == "uid 4294967000")
    }

    @Test func controlCharactersOfADeviceReachNoTerminal() throws {
        var text = ""
        let caller = ControlCaller(
            peer: .own,
            write: {
                text += $0
                return true
            }, hasGone: { false })
        try caller.line("serial \u{1B}[2J\u{9B}31m\rx\u{7}")
        #expect(text == "serial ?[2J?31m?x?\n")
    }
}
