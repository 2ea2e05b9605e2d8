// What `kilomint-agent help COMMAND` prints: one page a command, 78 columns wide, for whoever stands in front of the
// cabinet.

extension Help {
    /// The page of a command; where there is none, the overview.
    static func of(_ command: String) throws -> String {
        if let page = pages.first(where: { $0.command == command }) { return page.text }
        let overview = ["run", "version", "help"]
        guard overview.contains(command) else {
            throw Arguments.Wrong(
                description: "\(command) has no page; these have: \(pages.map(\.command).joined(separator: ", "))")
        }
        return text
    }

    private static let pages: [(command: String, text: String)] =
        [
            ("status", status), ("watch", watch), ("read", read), ("identify", identify), ("scan", scan),
            ("plan", plan), ("spool", spool), ("shadow", shadow), ("doctor", doctor), ("commission", commission),
            ("meter", meter), ("report", report),
        ] + setup

    private static let throughAgent = """
        --config FILE names the agent (default /etc/kilomint/agent.yaml if it is there).
        The running agent asks, between its own reads and at most `control_rate` times
        a second; where none runs, this command asks by itself. It says which.
        """

    private static let endpoint = """
          --endpoint tcp:HOST:PORT      Modbus TCP; port 502 unless named; or [IPv6]
          --endpoint rtu_tcp:HOST:PORT  RTU frames through a serial server
          --endpoint rtu:DEVICE         a serial line:
              --baud 19200  --parity even|none|odd  --stop-bits 1|2
          --echo true                   what is sent comes back before the answer
          --timeout MS                  how long an answer is waited for
        """

    private static let status = """
        kilomint-agent status [--config FILE] [--json]

        How the running agent is: what is wrong first, then stream, uplink, spool, and
        each bus and meter with its counters. --json prints one object for programs.
        """

    private static let watch = """
        kilomint-agent watch [--config FILE] [--meter ID,…] [--every MS] [--times N]

        What the running agent read last, each second: value, age, time taken, status.
        A table on a terminal, which follows its size and ends with Ctrl-C; elsewhere
        one line a value. Asks no meter anything.
        """

    private static let read = """
        kilomint-agent read [--config FILE] [--meter ID,…]
          Every meter of the configuration, or those named, once: words and decoded
          values. Compare them with the displays.

        kilomint-agent read --endpoint … [--unit N] [--function 3|4|17|43]
            [--address A] [--count C] [--as TYPE] [--order ORDER]
          Any registers of any device. Addresses are the wire's, from 0: a manual's
          register 40001 is --function 3 --address 0.
        \(endpoint)
          --as u16|s16|u32|s32|u64|s64|f32|f64|text
          --order abcd|cdab|badc|dcba   bytes of a value: abcd has the highest first,
                                        cdab swaps its words

        \(throughAgent)
        Nothing that is read this way is recorded.
        """

    private static let identify = """
        kilomint-agent identify --meter ID | --endpoint … [--unit N]
            [--profiles FOLDER]

        Asks a device who it is (functions 43/14 and 17, SunSpec, the identity
        registers of every profile), then reads voltage, frequency, energy and power
        as the profiles that are left have them. Says which fit, how sure, and why.
        Prints configuration to paste. At most 400 questions.
        \(endpoint)

        \(throughAgent)
        """

    private static let scan = """
        kilomint-agent scan --tcp ADDRESSES [--port 502,…] [--unit 1,255]
            [--timeout MS] [--identify]
          One question to each unit of the addresses you name, and no others:
          192.168.1.0/24, 192.168.1.10-20, single ones, joined by commas; at most
          4096. 50 connections a second.

        kilomint-agent scan --rtu DEVICE [--baud 9600,19200] [--parity none,even]
            [--stop-bits 1] [--unit 1-247] [--timeout MS] [--identify]
          Every unit at each speed and parity, with the time that is left. A line of
          the running agent is searched at its own speed only: another one would
          silence its meters.

        Ctrl-C ends it; what was found stands. --identify looks for the profile of
        each device found.

        \(throughAgent)
        """

    private static let plan = """
        kilomint-agent plan [--config FILE]

        What a configuration costs: requests and time on each bus, MB a month to send,
        MB a day written to flash, days that the spool lasts without the collector.
        Records are really encoded; what is assumed is said. Asks nobody.
        """

    private static let spool = """
        kilomint-agent spool status [--config FILE] [--folder FOLDER]
          Fill, streams, receipts, the oldest reading, days left at this rate.

        kilomint-agent spool verify [--config FILE] [--folder FOLDER] [--key SPKI]
          Every signature, chain, size and hash of what is stored; names each record
          that is damaged.

        kilomint-agent spool export --out FILE [--config FILE] [--folder FOLDER]
            [--stream ID]
          The records as they were signed, one after the other (a CBOR sequence of
          COSE_Sign1 messages), for anybody's check.

        The running agent is not stopped: its keeper hands out a few rows at a time.
        --folder names a spool that no agent has open, such as a copy; without a
        configuration --key is the gateway's public key in hexadecimal.
        """

    private static let shadow = """
        kilomint-agent shadow [--config FILE]

        For meters with `shadow: vendor/model`: over how many reads the second profile
        gave the same values as the first, and where it does not. What the second says
        is never signed. Exit status 1 while something differs.
        """

    private static let doctor = """
        kilomint-agent doctor [--config FILE] [--json]

        What is wrong with lines, meters, machine and uplink, by what was seen, and what
        to do; at the end what was not looked at, and why. Tries whether large packets
        reach the broker. Exit status 0: nothing; 1: something.
        """

    private static let commission = """
        kilomint-agent commission [--config FILE] --meter ID --serial S
            [--import KWH] [--export KWH] --name WHO

        Compares a meter's display with its registers and signs that they agree.
        --accept-difference REASON is for energies, never for serial numbers.
        """

    private static let meter = """
        kilomint-agent meter replace [--config FILE] --meter ID --old
            [--serial S --import KWH --export KWH]
          Before a meter is exchanged: its last values; typed where it is dead.

        kilomint-agent meter replace [--config FILE] --meter ID --new
            --serial S --name WHO
          After it: the first values of the new one, signed with the last.
        """

    private static let report = """
        kilomint-agent report [--config FILE]

        One page to hand over: gateway, meters, commissioning, plan, doctor.
        """
}
