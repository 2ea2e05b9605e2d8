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
          kilomint-agent enroll --config FILE --url https://HOST:8443 [--code KM1-...] [--replace]
                                                     get the gateway's certificate with a claim code, which is
                                                     read from standard input unless --code gives it;
                                                     --replace: this box goes on for another one
          kilomint-agent renew --config FILE [--force] [--rekey]
                                                     renew the certificate when it is due, for a timer;
                                                     --rekey: with a new key that the old one vouches for
          kilomint-agent config check --config FILE  check everything the configuration names, print the plan
          kilomint-agent config show --config FILE [--origin]
                                                     every value as it takes effect, and where it comes from
          kilomint-agent config rollback             take back what was configured from afar
          kilomint-agent status                      how the running agent is
          kilomint-agent watch                       its values, as a table that lives
          kilomint-agent read                        read meters or any registers once, print words and values
          kilomint-agent identify                    which profile is this device
          kilomint-agent scan                        look for devices on a network or a serial line
          kilomint-agent plan                        requests, bus time, traffic, flash, days of spool
          kilomint-agent spool status|verify|export  what is stored, and whether it is what was signed
          kilomint-agent doctor                      what is wrong with lines, meters, machine, uplink; what to do
          kilomint-agent commission                  compare a meter's display with its registers, sign that they agree
          kilomint-agent meter replace               before and after a meter is exchanged
          kilomint-agent report                      one page to hand over
          kilomint-agent shadow                      whether second profiles agree with the first
              These ask the running agent and stop nothing.
          kilomint-agent key create --store FILE|pkcs11:...|tpm2:HANDLE [--module PATH] [--pin-file PATH]
                                     [--device PATH] [--algorithm es256|ed25519]
                                                     make the gateway's key (mode 0600), print its public half
          kilomint-agent profile lint PATH...        say what is wrong with profiles: files, or folders of them
          kilomint-agent profile show FILE           print a profile as a table
          kilomint-agent profile test PATH...        run the frames beside profiles
          kilomint-agent version
          kilomint-agent help COMMAND                explains a command; so does COMMAND --help

        Where --config is left out it is /etc/kilomint/agent.yaml, but not for run.

        First steps:
          1. Write the configuration: Agent/Command/sample.yaml explains every key.
          2. kilomint-agent init --config /etc/kilomint/agent.yaml
             Needs no network. Reading, signing and storing can begin after it.
          3. kilomint-agent config check --config /etc/kilomint/agent.yaml
          4. kilomint-agent read --config /etc/kilomint/agent.yaml
             Compare the values with the meters' displays.
          5. kilomint-agent run --config /etc/kilomint/agent.yaml
             From here on what is read is signed and kept; it is sent once the gateway is enrolled.
          6. kilomint-agent enroll --config /etc/kilomint/agent.yaml --url https://HOST:8443
             With the code from the operator, as often as it takes; the running agent begins to send by itself.

        The agent never writes to a device: only the reading functions 3, 4, 17 and 43/14 exist in it.
        Exit status: 0 done, 1 failed, 2 wrong call, 78 wrong configuration (file, key, value, what is allowed).
        """
}
