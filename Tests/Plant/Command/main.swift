// kilomint-plant: the entry, from command line to exit code. What the subcommands do is in Commands.

internal import Glibc

exit(Commands.run(CommandLine.arguments.dropFirst()).rawValue)
