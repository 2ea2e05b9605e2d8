// kilomint-agent: reads meters over Modbus, signs what they answered, keeps it until it is receipted. No decisions here.

internal import Glibc

// A peer that closes early is an error of the write, not the end of the program.
signal(SIGPIPE, SIG_IGN)
let status = Commands.run(Array(CommandLine.arguments.dropFirst()))
// Without exit handlers: where an error ends the program, threads may still use what OpenSSL's would take away.
fflush(nil)
_exit(status)
