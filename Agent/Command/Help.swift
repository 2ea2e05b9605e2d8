// What --help prints. It teaches; the configuration's keys are explained in the sample beside it.

internal import AgentIO

enum Help {
    static let text = """
        \(agentVersion)
        Reads electricity meters over Modbus TCP and RTU, signs the register words they answered, keeps the records
        in a spool and sends them until the collector's signed receipt says that it has them.

        Usage:
          kilomint-agent run --config FILE           run until SIGTERM; logs go to standard error
          kilomint-agent init --config FILE [--gateway ID]
                                                     make the gateway's key and spool; keeps what is there
          kilomint-agent enroll --config FILE --url https://HOST:8443 --code KM1-... [--replace]
                                                     get the gateway's certificate with a claim code;
                                                     --replace: this box goes on for another one
          kilomint-agent renew --config FILE [--force]
                                                     renew the certificate when it is due, for a timer
          kilomint-agent config check --config FILE  check everything the configuration names, print the plan
          kilomint-agent read [--config FILE] [--meter ID,…]
                                                     read meters once, print words and values; records nothing
          kilomint-agent read --endpoint tcp:HOST:PORT|rtu_tcp:HOST:PORT|rtu:DEVICE [--unit N] [--function 3|4|17|43]
              [--address A] [--count C] [--as u16|s16|u32|s32|u64|s64|f32|f64|text] [--order abcd|cdab|badc|dcba]
              [--baud N] [--parity none|even|odd] [--stop-bits 1|2] [--echo true] [--timeout MS]
                                                     read any registers of any device
          kilomint-agent identify --meter ID | --endpoint … [--unit N] [--profiles FOLDER]
                                                     which profile is it, and why
          kilomint-agent scan --tcp 192.168.1.0/24 [--port 502,1502] [--unit 1,255] [--identify]
          kilomint-agent scan --rtu DEVICE [--baud 9600,19200] [--parity none,even] [--unit 1-247] [--identify]
                                                     look for devices; prints configuration to paste
          kilomint-agent status --config FILE [--json]
                                                     ask the running agent how it is
          kilomint-agent doctor --config FILE [--json]
                                                     say what is wrong with lines, meters, machine and uplink, and
                                                     what to do; exit status 0: nothing, 1: something
          kilomint-agent commission --config FILE --meter ID --serial S [--import KWH] [--export KWH] --name WHO
                                                     compare a meter's display with its registers, sign that they agree;
                                                     --accept-difference REASON for energies, never for serials
          kilomint-agent meter replace --config FILE --meter ID --old [--serial S --import KWH --export KWH]
                                                     before a meter is exchanged: its last values; typed where it is dead
          kilomint-agent meter replace --config FILE --meter ID --new --serial S --name WHO
                                                     after it: the first values of the new one, signed with the last
          kilomint-agent report --config FILE        one page to hand over: gateway, meters, commissioning, plan, doctor
          kilomint-agent key create --out FILE [--algorithm es256|ed25519]
                                                     make the gateway's key (mode 0600), print its public half
          kilomint-agent profile lint PATH...        say what is wrong with profiles: files, or folders of them
          kilomint-agent profile show FILE           print a profile as a table
          kilomint-agent profile test PATH...        run the frames beside profiles
          kilomint-agent version

        First steps:
          1. Write the configuration: Agent/Command/sample.yaml explains every key.
          2. kilomint-agent init --config /etc/kilomint/agent.yaml
             Needs no network. Reading, signing and storing can begin after it.
          3. kilomint-agent config check --config /etc/kilomint/agent.yaml
          4. kilomint-agent read --config /etc/kilomint/agent.yaml
             Compare the values with the meters' displays.
          5. kilomint-agent run --config /etc/kilomint/agent.yaml
             From here on what is read is signed and kept; it is sent once the gateway is enrolled.
          6. kilomint-agent enroll --config /etc/kilomint/agent.yaml --url https://HOST:8443 --code KM1-...
             With the code from the operator, as often as it takes; the running agent begins to send by itself.

        The agent never writes to a device: only the reading functions 3, 4, 17 and 43/14 exist in it.
        Exit status: 0 done, 1 failed, 2 wrong call, 78 wrong configuration (file, key, value, what is allowed).
        """
}
