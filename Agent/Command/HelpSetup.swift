// What `kilomint-agent help COMMAND` prints of the commands that set a gateway up: configuration, key, enrolment, profiles.

extension Help {
    static let setup: [(command: String, text: String)] = [
        ("init", initialise), ("enroll", enroll), ("renew", renew), ("config", config), ("key", key),
        ("profile", profile),
    ]

    private static let usual = """
        --config FILE is /etc/kilomint/agent.yaml where it is left out.
        """

    private static let initialise = """
        kilomint-agent init [--config FILE] [--gateway ID]

        Makes the gateway's key and its spool, without any network; what is there stays.
        What it makes is the service's: called by root it goes on as the user whose the
        spool's folder is.
        --gateway only makes sure that the configuration is that gateway's.
        A key in a token or TPM is made by `kilomint-agent key create`.

        \(usual)
        """

    private static let enroll = """
        kilomint-agent enroll [--config FILE] --url https://HOST:8443
            [--code KM1-…] [--replace]

        Gets the gateway's certificate with the operator's claim code, and with it key
        list, CA and brokers. The code is asked for, or read from standard input; with
        --code everybody on the machine may see it in the list of processes. Capitals
        and hyphens do not matter. It is good once; after a failure the same code may be
        tried again. A running agent begins to send within a second.

        --replace: this box goes on for a broken one, with a new code for the same
        gateway.

        \(usual)
        """

    private static let renew = """
        kilomint-agent renew [--config FILE] [--force] [--rekey]

        Renews the certificate when half of its life has passed, else says when that is;
        kilomint-agent-renew.timer calls it daily. One that has ended is renewed too.

        --force   now
        --rekey   with a new key, which the running agent makes and the old one vouches
                  for; waits up to 120 s for the collector's receipt. Interrupted, the
                  next call goes on.

        \(usual)
        """

    private static let config = """
        kilomint-agent config check [--config FILE]
          Everything the configuration names, and the plan of requests. What is wrong is
          said with file, line, key and what is allowed; exit status 78. The gateway's
          key may still be missing.

        kilomint-agent config show [--config FILE] [--origin]
          Every value as it takes effect; --origin: from the file, enrolment, a remote
          version, or by default.

        kilomint-agent config rollback [--config FILE]
          Takes back what was configured from afar, with a signed note of who did it.

        \(usual)
        """

    private static let key = """
        kilomint-agent key create --store FILE [--algorithm es256|ed25519]
        kilomint-agent key create --store "pkcs11:token=…;object=…" --module PATH
            [--pin-file PATH]
        kilomint-agent key create --store tpm2:0x81000001 [--device PATH]
            [--pin-file PATH]

        Makes the gateway's key where `key` in the configuration says it lies, and
        prints its public half. A key that is there is never replaced. For a file,
        `kilomint-agent init` does it too.
        """

    private static let profile = """
        kilomint-agent profile lint PATH…   what is wrong with profiles
        kilomint-agent profile show FILE    one as a table: quantities, registers, level
        kilomint-agent profile test PATH…   the frames that stand beside profiles

        PATH is a file or a folder. Asks no meter and needs no configuration. Those of
        the packages: /usr/share/kilomint/firmware-profiles/VENDOR/MODEL.yaml.
        """
}
