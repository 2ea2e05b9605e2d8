// kilomint-agent: reads meters over Modbus, signs what they answered, keeps it until it is receipted. No decisions here.

internal import Glibc

exit(Commands.run(Array(CommandLine.arguments.dropFirst())))
