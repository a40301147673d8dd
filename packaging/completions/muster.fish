# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_muster_global_optspecs
    string join \n json v/verbose h/help V/version
end

function __fish_muster_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_muster_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_muster_using_subcommand
    set -l cmd (__fish_muster_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c muster -n "__fish_muster_needs_command" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_needs_command" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c muster -n "__fish_muster_needs_command" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_needs_command" -f -a "lab" -d 'Try it: a whole estate in one process, with authority, KMS host, DNS and machines'
complete -c muster -n "__fish_muster_needs_command" -f -a "authority" -d 'The publisher\'s side: root, products, keys, certificates'
complete -c muster -n "__fish_muster_needs_command" -f -a "kms" -d 'A KMS host: it counts and licenses the machines of a network'
complete -c muster -n "__fish_muster_needs_command" -f -a "client" -d 'This machine: install keys, activate, see what is licensed and why'
complete -c muster -n "__fish_muster_needs_command" -f -a "inspect" -d 'Show a file of muster\'s in words, and say what is wrong with a bad one'
complete -c muster -n "__fish_muster_needs_command" -f -a "explain" -d 'Explain a reason code: what happened, the likely cause, what to do'
complete -c muster -n "__fish_muster_needs_command" -f -a "config" -d 'Check configuration files'
complete -c muster -n "__fish_muster_needs_command" -f -a "completions" -d 'Print completions for a shell'
complete -c muster -n "__fish_muster_needs_command" -f -a "man" -d 'Write the man pages into a directory'
complete -c muster -n "__fish_muster_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c muster -n "__fish_muster_using_subcommand lab" -l clients -d 'How many machines with a client product' -r
complete -c muster -n "__fish_muster_using_subcommand lab" -l servers -d 'How many machines with a server product' -r
complete -c muster -n "__fish_muster_using_subcommand lab" -l dir -d 'Keep the estate\'s files here; without it they are removed at the end' -r -F
complete -c muster -n "__fish_muster_using_subcommand lab" -l days -d 'Let this many days of simulated time pass afterwards, with a KMS outage of 30 days and one of 220 days, and print a timeline' -r
complete -c muster -n "__fish_muster_using_subcommand lab" -l once -d 'End when every machine has asked twice after the last new one; exit code 0 when all are licensed, else 1'
complete -c muster -n "__fish_muster_using_subcommand lab" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand lab" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand lab" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c muster -n "__fish_muster_using_subcommand lab" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand authority; and not __fish_seen_subcommand_from root init apply rotate issuing serve doctor product key host certify backup restore restored help" -l dir -d 'The authority\'s directory [default: /var/lib/muster/authority; without root ~/.local/share/muster/authority]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and not __fish_seen_subcommand_from root init apply rotate issuing serve doctor product key host certify backup restore restored help" -l config -d 'The configuration file [default: /etc/muster/authority.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and not __fish_seen_subcommand_from root init apply rotate issuing serve doctor product key host certify backup restore restored help" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand authority; and not __fish_seen_subcommand_from root init apply rotate issuing serve doctor product key host certify backup restore restored help" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand authority; and not __fish_seen_subcommand_from root init apply rotate issuing serve doctor product key host certify backup restore restored help" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand authority; and not __fish_seen_subcommand_from root init apply rotate issuing serve doctor product key host certify backup restore restored help" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand authority; and not __fish_seen_subcommand_from root init apply rotate issuing serve doctor product key host certify backup restore restored help" -f -a "root" -d 'The offline root: make it, let it sign, show its fingerprint'
complete -c muster -n "__fish_muster_using_subcommand authority; and not __fish_seen_subcommand_from root init apply rotate issuing serve doctor product key host certify backup restore restored help" -f -a "init" -d 'Make an authority, with a root of its own or under an offline root'
complete -c muster -n "__fish_muster_using_subcommand authority; and not __fish_seen_subcommand_from root init apply rotate issuing serve doctor product key host certify backup restore restored help" -f -a "apply" -d 'Take in the root\'s answer to this authority\'s request'
complete -c muster -n "__fish_muster_using_subcommand authority; and not __fish_seen_subcommand_from root init apply rotate issuing serve doctor product key host certify backup restore restored help" -f -a "rotate" -d 'Make a new issuing key; what the old one signed stays valid'
complete -c muster -n "__fish_muster_using_subcommand authority; and not __fish_seen_subcommand_from root init apply rotate issuing serve doctor product key host certify backup restore restored help" -f -a "issuing" -d 'The issuing keys: list, revoke one that has leaked'
complete -c muster -n "__fish_muster_using_subcommand authority; and not __fish_seen_subcommand_from root init apply rotate issuing serve doctor product key host certify backup restore restored help" -f -a "serve" -d 'Serve hosts in the foreground: plain HTTP on loopback, HTTPS with certificate files'
complete -c muster -n "__fish_muster_using_subcommand authority; and not __fish_seen_subcommand_from root init apply rotate issuing serve doctor product key host certify backup restore restored help" -f -a "doctor" -d 'Go through every step of this authority, and say what was seen'
complete -c muster -n "__fish_muster_using_subcommand authority; and not __fish_seen_subcommand_from root init apply rotate issuing serve doctor product key host certify backup restore restored help" -f -a "product" -d 'Products and their signed policies: add, list, show, change, write out'
complete -c muster -n "__fish_muster_using_subcommand authority; and not __fish_seen_subcommand_from root init apply rotate issuing serve doctor product key host certify backup restore restored help" -f -a "key" -d 'Product keys: issue, list, show, revoke'
complete -c muster -n "__fish_muster_using_subcommand authority; and not __fish_seen_subcommand_from root init apply rotate issuing serve doctor product key host certify backup restore restored help" -f -a "host" -d 'Hosts that were certified: list, revoke'
complete -c muster -n "__fish_muster_using_subcommand authority; and not __fish_seen_subcommand_from root init apply rotate issuing serve doctor product key host certify backup restore restored help" -f -a "certify" -d 'Answer the request file of a host that cannot reach the authority'
complete -c muster -n "__fish_muster_using_subcommand authority; and not __fish_seen_subcommand_from root init apply rotate issuing serve doctor product key host certify backup restore restored help" -f -a "backup" -d 'Write a backup of the store, and with --with-keys of the secret keys beside it'
complete -c muster -n "__fish_muster_using_subcommand authority; and not __fish_seen_subcommand_from root init apply rotate issuing serve doctor product key host certify backup restore restored help" -f -a "restore" -d 'Put a backup in the place of the store, also while the service runs'
complete -c muster -n "__fish_muster_using_subcommand authority; and not __fish_seen_subcommand_from root init apply rotate issuing serve doctor product key host certify backup restore restored help" -f -a "restored" -d 'Go on safely after the database server of the store was brought back to an earlier time'
complete -c muster -n "__fish_muster_using_subcommand authority; and not __fish_seen_subcommand_from root init apply rotate issuing serve doctor product key host certify backup restore restored help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from root" -l dir -d 'The authority\'s directory [default: /var/lib/muster/authority; without root ~/.local/share/muster/authority]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from root" -l config -d 'The configuration file [default: /etc/muster/authority.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from root" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from root" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from root" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from root" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from root" -f -a "init" -d 'Make the root\'s keys: the present one and the next'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from root" -f -a "sign" -d 'Sign an authority\'s request; look at it first with `muster inspect`'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from root" -f -a "export" -d 'Write the public root file and show its fingerprint'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from root" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from init" -l publisher -d 'The publisher\'s name, as customers read it' -r
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from init" -l url -d 'The address by which hosts reach the authority, https://…; they remember it' -r
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from init" -l root -d 'The root to stand under: with --offline its public file, else its secret file, which signs here and now' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from init" -l out -d 'Where to write the request for the root' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from init" -l store -d 'Keep the store on this PostgreSQL server, postgres://USER@HOST/DATABASE; - reads standard input, @FILE a file. The directory remembers it [default: as remembered, else the file authority.db]' -r
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from init" -l dir -d 'The authority\'s directory [default: /var/lib/muster/authority; without root ~/.local/share/muster/authority]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from init" -l config -d 'The configuration file [default: /etc/muster/authority.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from init" -l offline -d 'The root is elsewhere: write a request for it to sign; --root names its public file'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from init" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from init" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from init" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from apply" -l dir -d 'The authority\'s directory [default: /var/lib/muster/authority; without root ~/.local/share/muster/authority]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from apply" -l config -d 'The configuration file [default: /etc/muster/authority.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from apply" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from apply" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from apply" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from apply" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from rotate" -l out -d 'Where to write the request, when the root is offline' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from rotate" -l dir -d 'The authority\'s directory [default: /var/lib/muster/authority; without root ~/.local/share/muster/authority]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from rotate" -l config -d 'The configuration file [default: /etc/muster/authority.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from rotate" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from rotate" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from rotate" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from rotate" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from issuing" -l dir -d 'The authority\'s directory [default: /var/lib/muster/authority; without root ~/.local/share/muster/authority]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from issuing" -l config -d 'The configuration file [default: /etc/muster/authority.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from issuing" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from issuing" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from issuing" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from issuing" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from issuing" -f -a "list" -d 'List issuing keys, the oldest first'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from issuing" -f -a "revoke" -d 'Revoke an issuing key that has leaked, after `rotate` has made another'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from issuing" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from serve" -l store -d 'Keep the store on this PostgreSQL server, postgres://USER@HOST/DATABASE; - reads standard input, @FILE a file. The directory remembers it [default: as remembered, else the file authority.db]' -r
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from serve" -l listen -d 'The address to listen on [default: 127.0.0.1:8443]' -r
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from serve" -l metrics -d 'Serve numbers for Prometheus at http://ADDR/metrics; loopback is enough for an agent [default: none are served]' -r
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from serve" -l tls-cert -d 'The TLS certificate chain, PEM' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from serve" -l tls-key -d 'The TLS private key, PEM' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from serve" -l dir -d 'The authority\'s directory [default: /var/lib/muster/authority; without root ~/.local/share/muster/authority]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from serve" -l config -d 'The configuration file [default: /etc/muster/authority.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from serve" -l insecure-http -d 'Serve plain HTTP on an address other than loopback'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from serve" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from serve" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from serve" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from doctor" -l url -d 'Where the service should answer [default: the URL that init was told, else where it listens]' -r
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from doctor" -l ca-file -d 'A file of CA certificates (PEM) to trust for it beside the system\'s' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from doctor" -l dir -d 'The authority\'s directory [default: /var/lib/muster/authority; without root ~/.local/share/muster/authority]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from doctor" -l config -d 'The configuration file [default: /etc/muster/authority.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from doctor" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from doctor" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from doctor" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from product" -l dir -d 'The authority\'s directory [default: /var/lib/muster/authority; without root ~/.local/share/muster/authority]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from product" -l config -d 'The configuration file [default: /etc/muster/authority.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from product" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from product" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from product" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from product" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from product" -f -a "add" -d 'Add a product with its policy'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from product" -f -a "list" -d 'List products'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from product" -f -a "show" -d 'Show one product and its policy'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from product" -f -a "set" -d 'Change a product\'s policy; its version grows by one'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from product" -f -a "policy" -d 'Write the signed policy bundle that the product ships with'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from product" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from key" -l dir -d 'The authority\'s directory [default: /var/lib/muster/authority; without root ~/.local/share/muster/authority]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from key" -l config -d 'The configuration file [default: /etc/muster/authority.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from key" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from key" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from key" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from key" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from key" -f -a "issue" -d 'Issue product keys, one a line; afterwards they are shown by `key show --reveal` alone'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from key" -f -a "list" -d 'List keys by their last five symbols'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from key" -f -a "show" -d 'Show one key\'s limits and use'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from key" -f -a "revoke" -d 'Revoke a key: nothing more is granted under it'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from key" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from host" -l dir -d 'The authority\'s directory [default: /var/lib/muster/authority; without root ~/.local/share/muster/authority]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from host" -l config -d 'The configuration file [default: /etc/muster/authority.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from host" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from host" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from host" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from host" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from host" -f -a "list" -d 'List certified hosts'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from host" -f -a "revoke" -d 'Revoke a host and free its place'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from host" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from certify" -l out -d 'Where to write the answer for the host' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from certify" -l dir -d 'The authority\'s directory [default: /var/lib/muster/authority; without root ~/.local/share/muster/authority]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from certify" -l config -d 'The configuration file [default: /etc/muster/authority.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from certify" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from certify" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from certify" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from certify" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from backup" -l out -d 'Where to write it' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from backup" -l dir -d 'The authority\'s directory [default: /var/lib/muster/authority; without root ~/.local/share/muster/authority]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from backup" -l config -d 'The configuration file [default: /etc/muster/authority.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from backup" -l with-keys -d 'Copy the key files too, into FILE.keys (mode 700): whoever takes both is this publisher'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from backup" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from backup" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from backup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from backup" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from restore" -l dir -d 'The authority\'s directory [default: /var/lib/muster/authority; without root ~/.local/share/muster/authority]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from restore" -l config -d 'The configuration file [default: /etc/muster/authority.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from restore" -l with-keys -d 'Put the key files of FILE.keys into the directory first; none there is ever replaced'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from restore" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from restore" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from restore" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from restored" -l dir -d 'The authority\'s directory [default: /var/lib/muster/authority; without root ~/.local/share/muster/authority]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from restored" -l config -d 'The configuration file [default: /etc/muster/authority.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from restored" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from restored" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from restored" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from restored" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from help" -f -a "root" -d 'The offline root: make it, let it sign, show its fingerprint'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from help" -f -a "init" -d 'Make an authority, with a root of its own or under an offline root'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from help" -f -a "apply" -d 'Take in the root\'s answer to this authority\'s request'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from help" -f -a "rotate" -d 'Make a new issuing key; what the old one signed stays valid'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from help" -f -a "issuing" -d 'The issuing keys: list, revoke one that has leaked'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from help" -f -a "serve" -d 'Serve hosts in the foreground: plain HTTP on loopback, HTTPS with certificate files'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from help" -f -a "doctor" -d 'Go through every step of this authority, and say what was seen'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from help" -f -a "product" -d 'Products and their signed policies: add, list, show, change, write out'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from help" -f -a "key" -d 'Product keys: issue, list, show, revoke'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from help" -f -a "host" -d 'Hosts that were certified: list, revoke'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from help" -f -a "certify" -d 'Answer the request file of a host that cannot reach the authority'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from help" -f -a "backup" -d 'Write a backup of the store, and with --with-keys of the secret keys beside it'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from help" -f -a "restore" -d 'Put a backup in the place of the store, also while the service runs'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from help" -f -a "restored" -d 'Go on safely after the database server of the store was brought back to an earlier time'
complete -c muster -n "__fish_muster_using_subcommand authority; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c muster -n "__fish_muster_using_subcommand kms; and not __fish_seen_subcommand_from install-key apply renew remove-key serve status doctor clients set retire dns-records confirm-clock backup restore help" -l dir -d 'The host\'s directory [default: /var/lib/muster/kms; without root ~/.local/share/muster/kms]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and not __fish_seen_subcommand_from install-key apply renew remove-key serve status doctor clients set retire dns-records confirm-clock backup restore help" -l config -d 'The configuration file [default: /etc/muster/kms.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and not __fish_seen_subcommand_from install-key apply renew remove-key serve status doctor clients set retire dns-records confirm-clock backup restore help" -l store -d 'Count machines in a PostgreSQL table that several hosts share, postgres://USER@HOST/DATABASE; `own` goes back to this host\'s own [default: where the service counted last, else its own]' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and not __fish_seen_subcommand_from install-key apply renew remove-key serve status doctor clients set retire dns-records confirm-clock backup restore help" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and not __fish_seen_subcommand_from install-key apply renew remove-key serve status doctor clients set retire dns-records confirm-clock backup restore help" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand kms; and not __fish_seen_subcommand_from install-key apply renew remove-key serve status doctor clients set retire dns-records confirm-clock backup restore help" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand kms; and not __fish_seen_subcommand_from install-key apply renew remove-key serve status doctor clients set retire dns-records confirm-clock backup restore help" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand kms; and not __fish_seen_subcommand_from install-key apply renew remove-key serve status doctor clients set retire dns-records confirm-clock backup restore help" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand kms; and not __fish_seen_subcommand_from install-key apply renew remove-key serve status doctor clients set retire dns-records confirm-clock backup restore help" -f -a "install-key" -d 'Install a host product key and have this host certified'
complete -c muster -n "__fish_muster_using_subcommand kms; and not __fish_seen_subcommand_from install-key apply renew remove-key serve status doctor clients set retire dns-records confirm-clock backup restore help" -f -a "apply" -d 'Take in the authority\'s answer to this host\'s request file'
complete -c muster -n "__fish_muster_using_subcommand kms; and not __fish_seen_subcommand_from install-key apply renew remove-key serve status doctor clients set retire dns-records confirm-clock backup restore help" -f -a "renew" -d 'Renew the host\'s certificates, when half of their life has passed'
complete -c muster -n "__fish_muster_using_subcommand kms; and not __fish_seen_subcommand_from install-key apply renew remove-key serve status doctor clients set retire dns-records confirm-clock backup restore help" -f -a "remove-key" -d 'Remove a host product key; a publisher\'s last one takes the certificate with it'
complete -c muster -n "__fish_muster_using_subcommand kms; and not __fish_seen_subcommand_from install-key apply renew remove-key serve status doctor clients set retire dns-records confirm-clock backup restore help" -f -a "serve" -d 'Answer machines, in the foreground; prints one line when it is ready'
complete -c muster -n "__fish_muster_using_subcommand kms; and not __fish_seen_subcommand_from install-key apply renew remove-key serve status doctor clients set retire dns-records confirm-clock backup restore help" -f -a "status" -d 'Show the counts, keys, certificates and DNS records of this host'
complete -c muster -n "__fish_muster_using_subcommand kms; and not __fish_seen_subcommand_from install-key apply renew remove-key serve status doctor clients set retire dns-records confirm-clock backup restore help" -f -a "doctor" -d 'Go through every step of this host, and say what was seen'
complete -c muster -n "__fish_muster_using_subcommand kms; and not __fish_seen_subcommand_from install-key apply renew remove-key serve status doctor clients set retire dns-records confirm-clock backup restore help" -f -a "clients" -d 'List the machines that were counted, and until when they count'
complete -c muster -n "__fish_muster_using_subcommand kms; and not __fish_seen_subcommand_from install-key apply renew remove-key serve status doctor clients set retire dns-records confirm-clock backup restore help" -f -a "set" -d 'Change settings, or show them; a running service follows within a few seconds'
complete -c muster -n "__fish_muster_using_subcommand kms; and not __fish_seen_subcommand_from install-key apply renew remove-key serve status doctor clients set retire dns-records confirm-clock backup restore help" -f -a "retire" -d 'Withdraw this host\'s own records from DNS for good'
complete -c muster -n "__fish_muster_using_subcommand kms; and not __fish_seen_subcommand_from install-key apply renew remove-key serve status doctor clients set retire dns-records confirm-clock backup restore help" -f -a "dns-records" -d 'Print the DNS records for a zone that is kept by hand; --dns-zone names it'
complete -c muster -n "__fish_muster_using_subcommand kms; and not __fish_seen_subcommand_from install-key apply renew remove-key serve status doctor clients set retire dns-records confirm-clock backup restore help" -f -a "confirm-clock" -d 'Say that the clock is right, after the host stopped because it jumped by more than a day'
complete -c muster -n "__fish_muster_using_subcommand kms; and not __fish_seen_subcommand_from install-key apply renew remove-key serve status doctor clients set retire dns-records confirm-clock backup restore help" -f -a "backup" -d 'Write a backup of this host, with its keys; also while the service runs'
complete -c muster -n "__fish_muster_using_subcommand kms; and not __fish_seen_subcommand_from install-key apply renew remove-key serve status doctor clients set retire dns-records confirm-clock backup restore help" -f -a "restore" -d 'Put a backup in the place of this host\'s store, also while the service runs'
complete -c muster -n "__fish_muster_using_subcommand kms; and not __fish_seen_subcommand_from install-key apply renew remove-key serve status doctor clients set retire dns-records confirm-clock backup restore help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from install-key" -l authority -d 'The authority\'s address, https://…; plain http on loopback only' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from install-key" -l ca-file -d 'A file of CA certificates (PEM) to trust for the authority beside the system\'s' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from install-key" -l root -d 'Insist on this root: its public file or its fingerprint; without it the root is pinned as found. With --offline: the policy bundle of the product, which holds the root' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from install-key" -l out -d 'Where to write the request' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from install-key" -l dir -d 'The host\'s directory [default: /var/lib/muster/kms; without root ~/.local/share/muster/kms]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from install-key" -l config -d 'The configuration file [default: /etc/muster/kms.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from install-key" -l store -d 'Count machines in a PostgreSQL table that several hosts share, postgres://USER@HOST/DATABASE; `own` goes back to this host\'s own [default: where the service counted last, else its own]' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from install-key" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from install-key" -l insecure-http -d 'Allow plain HTTP to an authority that is not on this machine'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from install-key" -l offline -d 'Write a request file instead of asking the authority'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from install-key" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from install-key" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from install-key" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from install-key" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from apply" -l dir -d 'The host\'s directory [default: /var/lib/muster/kms; without root ~/.local/share/muster/kms]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from apply" -l config -d 'The configuration file [default: /etc/muster/kms.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from apply" -l store -d 'Count machines in a PostgreSQL table that several hosts share, postgres://USER@HOST/DATABASE; `own` goes back to this host\'s own [default: where the service counted last, else its own]' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from apply" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from apply" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from apply" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from apply" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from apply" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from renew" -l authority -d 'The authority\'s address, https://…; plain http on loopback only' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from renew" -l ca-file -d 'A file of CA certificates (PEM) to trust for the authority beside the system\'s' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from renew" -l out -d 'Write the request to this file instead of asking the authority; further publishers\' to FILE.PUBLISHER' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from renew" -l dir -d 'The host\'s directory [default: /var/lib/muster/kms; without root ~/.local/share/muster/kms]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from renew" -l config -d 'The configuration file [default: /etc/muster/kms.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from renew" -l store -d 'Count machines in a PostgreSQL table that several hosts share, postgres://USER@HOST/DATABASE; `own` goes back to this host\'s own [default: where the service counted last, else its own]' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from renew" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from renew" -l insecure-http -d 'Allow plain HTTP to an authority that is not on this machine'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from renew" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from renew" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from renew" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from renew" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from remove-key" -l dir -d 'The host\'s directory [default: /var/lib/muster/kms; without root ~/.local/share/muster/kms]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from remove-key" -l config -d 'The configuration file [default: /etc/muster/kms.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from remove-key" -l store -d 'Count machines in a PostgreSQL table that several hosts share, postgres://USER@HOST/DATABASE; `own` goes back to this host\'s own [default: where the service counted last, else its own]' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from remove-key" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from remove-key" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from remove-key" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from remove-key" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from remove-key" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from serve" -l listen -d 'An address to listen on; can be given more than once [default: every address, port 1688]' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from serve" -l metrics -d 'Serve numbers for Prometheus at http://ADDR/metrics; loopback is enough for an agent [default: none are served]' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from serve" -l dns-server -d 'The DNS server to update [default: each zone\'s own primary]' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from serve" -l dns-zone -d 'A zone to stand in; can be given more than once' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from serve" -l tsig-key -d 'The TSIG key that signs updates: a file in BIND\'s format, closed to other users' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from serve" -l host-name -d 'This host\'s full name in DNS [default: the machine\'s]' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from serve" -l host-address -d 'Register these addresses for the host\'s name too; can be given more than once' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from serve" -l authority -d 'The authority\'s address, https://…; plain http on loopback only' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from serve" -l ca-file -d 'A file of CA certificates (PEM) to trust for the authority beside the system\'s' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from serve" -l dir -d 'The host\'s directory [default: /var/lib/muster/kms; without root ~/.local/share/muster/kms]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from serve" -l config -d 'The configuration file [default: /etc/muster/kms.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from serve" -l store -d 'Count machines in a PostgreSQL table that several hosts share, postgres://USER@HOST/DATABASE; `own` goes back to this host\'s own [default: where the service counted last, else its own]' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from serve" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from serve" -l insecure-http -d 'Allow plain HTTP to an authority that is not on this machine'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from serve" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from serve" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from serve" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from status" -l dir -d 'The host\'s directory [default: /var/lib/muster/kms; without root ~/.local/share/muster/kms]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from status" -l config -d 'The configuration file [default: /etc/muster/kms.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from status" -l store -d 'Count machines in a PostgreSQL table that several hosts share, postgres://USER@HOST/DATABASE; `own` goes back to this host\'s own [default: where the service counted last, else its own]' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from status" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from status" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from status" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from status" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from doctor" -l dns-server -d 'The DNS server to update [default: each zone\'s own primary]' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from doctor" -l dns-zone -d 'A zone to stand in; can be given more than once' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from doctor" -l tsig-key -d 'The TSIG key that signs updates: a file in BIND\'s format, closed to other users' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from doctor" -l host-name -d 'This host\'s full name in DNS [default: the machine\'s]' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from doctor" -l host-address -d 'Register these addresses for the host\'s name too; can be given more than once' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from doctor" -l authority -d 'The authority\'s address, https://…; plain http on loopback only' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from doctor" -l ca-file -d 'A file of CA certificates (PEM) to trust for the authority beside the system\'s' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from doctor" -l dir -d 'The host\'s directory [default: /var/lib/muster/kms; without root ~/.local/share/muster/kms]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from doctor" -l config -d 'The configuration file [default: /etc/muster/kms.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from doctor" -l store -d 'Count machines in a PostgreSQL table that several hosts share, postgres://USER@HOST/DATABASE; `own` goes back to this host\'s own [default: where the service counted last, else its own]' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from doctor" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from doctor" -l insecure-http -d 'Allow plain HTTP to an authority that is not on this machine'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from doctor" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from doctor" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from doctor" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from clients" -l product -d 'Only those counted in the pool of this product' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from clients" -l limit -d 'At most this many' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from clients" -l after -d 'Only those after this id: the next page' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from clients" -l dir -d 'The host\'s directory [default: /var/lib/muster/kms; without root ~/.local/share/muster/kms]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from clients" -l config -d 'The configuration file [default: /etc/muster/kms.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from clients" -l store -d 'Count machines in a PostgreSQL table that several hosts share, postgres://USER@HOST/DATABASE; `own` goes back to this host\'s own [default: where the service counted last, else its own]' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from clients" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from clients" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from clients" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from clients" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from clients" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from set" -l renewal -d 'How long after its last answer a licensed machine renews, 15m to 30d; `policy` goes back to each product\'s own' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from set" -l retry -d 'How long after an ask another machine asks again, 15m to 30d; `policy` goes back to each product\'s own' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from set" -l new-identities -d 'How many new machines one network address may bring in an hour' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from set" -l dir -d 'The host\'s directory [default: /var/lib/muster/kms; without root ~/.local/share/muster/kms]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from set" -l config -d 'The configuration file [default: /etc/muster/kms.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from set" -l store -d 'Count machines in a PostgreSQL table that several hosts share, postgres://USER@HOST/DATABASE; `own` goes back to this host\'s own [default: where the service counted last, else its own]' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from set" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from set" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from set" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from set" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from retire" -l dns-server -d 'The DNS server to update [default: each zone\'s own primary]' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from retire" -l dns-zone -d 'A zone to stand in; can be given more than once' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from retire" -l tsig-key -d 'The TSIG key that signs updates: a file in BIND\'s format, closed to other users' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from retire" -l host-name -d 'This host\'s full name in DNS [default: the machine\'s]' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from retire" -l host-address -d 'Register these addresses for the host\'s name too; can be given more than once' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from retire" -l dir -d 'The host\'s directory [default: /var/lib/muster/kms; without root ~/.local/share/muster/kms]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from retire" -l config -d 'The configuration file [default: /etc/muster/kms.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from retire" -l store -d 'Count machines in a PostgreSQL table that several hosts share, postgres://USER@HOST/DATABASE; `own` goes back to this host\'s own [default: where the service counted last, else its own]' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from retire" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from retire" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from retire" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from retire" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from retire" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from dns-records" -l dns-server -d 'The DNS server to update [default: each zone\'s own primary]' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from dns-records" -l dns-zone -d 'A zone to stand in; can be given more than once' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from dns-records" -l tsig-key -d 'The TSIG key that signs updates: a file in BIND\'s format, closed to other users' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from dns-records" -l host-name -d 'This host\'s full name in DNS [default: the machine\'s]' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from dns-records" -l host-address -d 'Register these addresses for the host\'s name too; can be given more than once' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from dns-records" -l dir -d 'The host\'s directory [default: /var/lib/muster/kms; without root ~/.local/share/muster/kms]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from dns-records" -l config -d 'The configuration file [default: /etc/muster/kms.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from dns-records" -l store -d 'Count machines in a PostgreSQL table that several hosts share, postgres://USER@HOST/DATABASE; `own` goes back to this host\'s own [default: where the service counted last, else its own]' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from dns-records" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from dns-records" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from dns-records" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from dns-records" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from dns-records" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from confirm-clock" -l dir -d 'The host\'s directory [default: /var/lib/muster/kms; without root ~/.local/share/muster/kms]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from confirm-clock" -l config -d 'The configuration file [default: /etc/muster/kms.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from confirm-clock" -l store -d 'Count machines in a PostgreSQL table that several hosts share, postgres://USER@HOST/DATABASE; `own` goes back to this host\'s own [default: where the service counted last, else its own]' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from confirm-clock" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from confirm-clock" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from confirm-clock" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from confirm-clock" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from confirm-clock" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from backup" -l out -d 'Where to write it' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from backup" -l dir -d 'The host\'s directory [default: /var/lib/muster/kms; without root ~/.local/share/muster/kms]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from backup" -l config -d 'The configuration file [default: /etc/muster/kms.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from backup" -l store -d 'Count machines in a PostgreSQL table that several hosts share, postgres://USER@HOST/DATABASE; `own` goes back to this host\'s own [default: where the service counted last, else its own]' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from backup" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from backup" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from backup" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from backup" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from backup" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from restore" -l dir -d 'The host\'s directory [default: /var/lib/muster/kms; without root ~/.local/share/muster/kms]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from restore" -l config -d 'The configuration file [default: /etc/muster/kms.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from restore" -l store -d 'Count machines in a PostgreSQL table that several hosts share, postgres://USER@HOST/DATABASE; `own` goes back to this host\'s own [default: where the service counted last, else its own]' -r
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from restore" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from restore" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from restore" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from restore" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from help" -f -a "install-key" -d 'Install a host product key and have this host certified'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from help" -f -a "apply" -d 'Take in the authority\'s answer to this host\'s request file'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from help" -f -a "renew" -d 'Renew the host\'s certificates, when half of their life has passed'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from help" -f -a "remove-key" -d 'Remove a host product key; a publisher\'s last one takes the certificate with it'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from help" -f -a "serve" -d 'Answer machines, in the foreground; prints one line when it is ready'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from help" -f -a "status" -d 'Show the counts, keys, certificates and DNS records of this host'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from help" -f -a "doctor" -d 'Go through every step of this host, and say what was seen'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from help" -f -a "clients" -d 'List the machines that were counted, and until when they count'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from help" -f -a "set" -d 'Change settings, or show them; a running service follows within a few seconds'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from help" -f -a "retire" -d 'Withdraw this host\'s own records from DNS for good'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from help" -f -a "dns-records" -d 'Print the DNS records for a zone that is kept by hand; --dns-zone names it'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from help" -f -a "confirm-clock" -d 'Say that the clock is right, after the host stopped because it jumped by more than a day'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from help" -f -a "backup" -d 'Write a backup of this host, with its keys; also while the service runs'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from help" -f -a "restore" -d 'Put a backup in the place of this host\'s store, also while the service runs'
complete -c muster -n "__fish_muster_using_subcommand kms; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -l dir -d 'The client\'s directory [default: /var/lib/muster/client; without root ~/.local/share/muster/client]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -l config -d 'The configuration file [default: /etc/muster/client.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -l dns-server -d 'The DNS server to ask instead of the system\'s' -r
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -f -a "install-key" -d 'Install a product key with its product\'s policy'
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -f -a "activate" -d 'Ask for a lease now; exit code 0: licensed, 1: not, with the reason'
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -f -a "status" -d 'Show state, method, until when, why, and what happens next and when'
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -f -a "doctor" -d 'Go through every step between this machine and its licences, and say what was seen'
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -f -a "set-host" -d 'Ask this KMS host, and look for none in DNS'
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -f -a "clear-host" -d 'Forget the host that was set, and look in DNS again'
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -f -a "set-domain" -d 'Look for KMS hosts in this DNS domain first'
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -f -a "set-site" -d 'Accept KMS hosts of this site only'
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -f -a "set-name" -d 'Tell hosts this machine\'s name, or not; they list it where it is told'
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -f -a "set-time" -d 'Ask a host for the time, and show how far this machine\'s clock is off'
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -f -a "set-method" -d 'Allow one method of activation alone, or all'
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -f -a "export" -d 'Write the leases, policies and roots to files, for an independent verifier'
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -f -a "change-key" -d 'Replace the product key of a product that is installed'
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -f -a "remove-key" -d 'Remove a product\'s key and leases from this machine'
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -f -a "rearm" -d 'Begin the extended grace, where the policy gives one: once until the next licence'
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -f -a "reset-identity" -d 'Forget this machine\'s identity and leases, before an image of it is taken'
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -f -a "serve" -d 'Keep everything on this machine renewed: the service, in the foreground'
complete -c muster -n "__fish_muster_using_subcommand client; and not __fish_seen_subcommand_from install-key activate status doctor set-host clear-host set-domain set-site set-name set-time set-method export change-key remove-key rearm reset-identity serve help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from install-key" -l policy -d 'The policy file that came with the product' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from install-key" -l root -d 'Insist on this publisher\'s root: its public file or its fingerprint' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from install-key" -l authority -d 'The authority\'s address, https://…; plain http on loopback only' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from install-key" -l ca-file -d 'A file of CA certificates (PEM) to trust for the authority beside the system\'s' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from install-key" -l dir -d 'The client\'s directory [default: /var/lib/muster/client; without root ~/.local/share/muster/client]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from install-key" -l config -d 'The configuration file [default: /etc/muster/client.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from install-key" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from install-key" -l dns-server -d 'The DNS server to ask instead of the system\'s' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from install-key" -l insecure-http -d 'Allow plain HTTP to an authority that is not on this machine'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from install-key" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from install-key" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from install-key" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from install-key" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from activate" -l product -d 'Only this product' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from activate" -l publisher -d 'Only what is of this publisher, by name or id' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from activate" -l dir -d 'The client\'s directory [default: /var/lib/muster/client; without root ~/.local/share/muster/client]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from activate" -l config -d 'The configuration file [default: /etc/muster/client.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from activate" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from activate" -l dns-server -d 'The DNS server to ask instead of the system\'s' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from activate" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from activate" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from activate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from activate" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from status" -l product -d 'Only this product' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from status" -l publisher -d 'Only what is of this publisher, by name or id' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from status" -l dir -d 'The client\'s directory [default: /var/lib/muster/client; without root ~/.local/share/muster/client]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from status" -l config -d 'The configuration file [default: /etc/muster/client.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from status" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from status" -l dns-server -d 'The DNS server to ask instead of the system\'s' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from status" -l long -d 'Show everything that is known, one field a line'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from status" -l check -d 'Exit with 1 unless every product shown is licensed; without it 0 whenever it can answer'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from status" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from status" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from status" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from doctor" -l dir -d 'The client\'s directory [default: /var/lib/muster/client; without root ~/.local/share/muster/client]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from doctor" -l config -d 'The configuration file [default: /etc/muster/client.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from doctor" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from doctor" -l dns-server -d 'The DNS server to ask instead of the system\'s' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from doctor" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from doctor" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from doctor" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-host" -l product -d 'Only this product' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-host" -l publisher -d 'Only what is of this publisher, by name or id' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-host" -l dir -d 'The client\'s directory [default: /var/lib/muster/client; without root ~/.local/share/muster/client]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-host" -l config -d 'The configuration file [default: /etc/muster/client.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-host" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-host" -l dns-server -d 'The DNS server to ask instead of the system\'s' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-host" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-host" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-host" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-host" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from clear-host" -l product -d 'Only this product' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from clear-host" -l publisher -d 'Only what is of this publisher, by name or id' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from clear-host" -l dir -d 'The client\'s directory [default: /var/lib/muster/client; without root ~/.local/share/muster/client]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from clear-host" -l config -d 'The configuration file [default: /etc/muster/client.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from clear-host" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from clear-host" -l dns-server -d 'The DNS server to ask instead of the system\'s' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from clear-host" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from clear-host" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from clear-host" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from clear-host" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-domain" -l dir -d 'The client\'s directory [default: /var/lib/muster/client; without root ~/.local/share/muster/client]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-domain" -l config -d 'The configuration file [default: /etc/muster/client.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-domain" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-domain" -l dns-server -d 'The DNS server to ask instead of the system\'s' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-domain" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-domain" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-domain" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-domain" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-site" -l dir -d 'The client\'s directory [default: /var/lib/muster/client; without root ~/.local/share/muster/client]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-site" -l config -d 'The configuration file [default: /etc/muster/client.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-site" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-site" -l dns-server -d 'The DNS server to ask instead of the system\'s' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-site" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-site" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-site" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-site" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-name" -l dir -d 'The client\'s directory [default: /var/lib/muster/client; without root ~/.local/share/muster/client]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-name" -l config -d 'The configuration file [default: /etc/muster/client.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-name" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-name" -l dns-server -d 'The DNS server to ask instead of the system\'s' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-name" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-name" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-name" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-name" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-time" -l dir -d 'The client\'s directory [default: /var/lib/muster/client; without root ~/.local/share/muster/client]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-time" -l config -d 'The configuration file [default: /etc/muster/client.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-time" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-time" -l dns-server -d 'The DNS server to ask instead of the system\'s' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-time" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-time" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-time" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-time" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-method" -l dir -d 'The client\'s directory [default: /var/lib/muster/client; without root ~/.local/share/muster/client]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-method" -l config -d 'The configuration file [default: /etc/muster/client.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-method" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-method" -l dns-server -d 'The DNS server to ask instead of the system\'s' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-method" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-method" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-method" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from set-method" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from export" -l out -d 'A directory to write into; it is made where it is missing' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from export" -l dir -d 'The client\'s directory [default: /var/lib/muster/client; without root ~/.local/share/muster/client]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from export" -l config -d 'The configuration file [default: /etc/muster/client.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from export" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from export" -l dns-server -d 'The DNS server to ask instead of the system\'s' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from export" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from export" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from export" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from change-key" -l policy -d 'The policy file of the new key\'s product, where that is another one' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from change-key" -l product -d 'Only this product' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from change-key" -l publisher -d 'Only what is of this publisher, by name or id' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from change-key" -l dir -d 'The client\'s directory [default: /var/lib/muster/client; without root ~/.local/share/muster/client]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from change-key" -l config -d 'The configuration file [default: /etc/muster/client.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from change-key" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from change-key" -l dns-server -d 'The DNS server to ask instead of the system\'s' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from change-key" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from change-key" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from change-key" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from change-key" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from remove-key" -l publisher -d 'Of this publisher, by name or id, where several have a product of that id' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from remove-key" -l dir -d 'The client\'s directory [default: /var/lib/muster/client; without root ~/.local/share/muster/client]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from remove-key" -l config -d 'The configuration file [default: /etc/muster/client.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from remove-key" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from remove-key" -l dns-server -d 'The DNS server to ask instead of the system\'s' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from remove-key" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from remove-key" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from remove-key" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from remove-key" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from rearm" -l product -d 'Only this product' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from rearm" -l publisher -d 'Only what is of this publisher, by name or id' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from rearm" -l dir -d 'The client\'s directory [default: /var/lib/muster/client; without root ~/.local/share/muster/client]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from rearm" -l config -d 'The configuration file [default: /etc/muster/client.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from rearm" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from rearm" -l dns-server -d 'The DNS server to ask instead of the system\'s' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from rearm" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from rearm" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from rearm" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from rearm" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from reset-identity" -l dir -d 'The client\'s directory [default: /var/lib/muster/client; without root ~/.local/share/muster/client]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from reset-identity" -l config -d 'The configuration file [default: /etc/muster/client.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from reset-identity" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from reset-identity" -l dns-server -d 'The DNS server to ask instead of the system\'s' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from reset-identity" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from reset-identity" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from reset-identity" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from reset-identity" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from serve" -l dir -d 'The client\'s directory [default: /var/lib/muster/client; without root ~/.local/share/muster/client]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from serve" -l config -d 'The configuration file [default: /etc/muster/client.toml]' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from serve" -l sysroot -d 'Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests' -r -F
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from serve" -l dns-server -d 'The DNS server to ask instead of the system\'s' -r
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from serve" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from serve" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from serve" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from help" -f -a "install-key" -d 'Install a product key with its product\'s policy'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from help" -f -a "activate" -d 'Ask for a lease now; exit code 0: licensed, 1: not, with the reason'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from help" -f -a "status" -d 'Show state, method, until when, why, and what happens next and when'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from help" -f -a "doctor" -d 'Go through every step between this machine and its licences, and say what was seen'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from help" -f -a "set-host" -d 'Ask this KMS host, and look for none in DNS'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from help" -f -a "clear-host" -d 'Forget the host that was set, and look in DNS again'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from help" -f -a "set-domain" -d 'Look for KMS hosts in this DNS domain first'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from help" -f -a "set-site" -d 'Accept KMS hosts of this site only'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from help" -f -a "set-name" -d 'Tell hosts this machine\'s name, or not; they list it where it is told'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from help" -f -a "set-time" -d 'Ask a host for the time, and show how far this machine\'s clock is off'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from help" -f -a "set-method" -d 'Allow one method of activation alone, or all'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from help" -f -a "export" -d 'Write the leases, policies and roots to files, for an independent verifier'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from help" -f -a "change-key" -d 'Replace the product key of a product that is installed'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from help" -f -a "remove-key" -d 'Remove a product\'s key and leases from this machine'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from help" -f -a "rearm" -d 'Begin the extended grace, where the policy gives one: once until the next licence'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from help" -f -a "reset-identity" -d 'Forget this machine\'s identity and leases, before an image of it is taken'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from help" -f -a "serve" -d 'Keep everything on this machine renewed: the service, in the foreground'
complete -c muster -n "__fish_muster_using_subcommand client; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c muster -n "__fish_muster_using_subcommand inspect" -l root -d 'The publisher\'s public root file' -r -F
complete -c muster -n "__fish_muster_using_subcommand inspect" -l verify -d 'Verify it under the root; exit code 1 when it is not valid'
complete -c muster -n "__fish_muster_using_subcommand inspect" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand inspect" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand inspect" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand inspect" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand explain" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand explain" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand explain" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand explain" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand config; and not __fish_seen_subcommand_from check help" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand config; and not __fish_seen_subcommand_from check help" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand config; and not __fish_seen_subcommand_from check help" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand config; and not __fish_seen_subcommand_from check help" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand config; and not __fish_seen_subcommand_from check help" -f -a "check" -d 'Check a configuration file and name what is wrong, by line'
complete -c muster -n "__fish_muster_using_subcommand config; and not __fish_seen_subcommand_from check help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c muster -n "__fish_muster_using_subcommand config; and __fish_seen_subcommand_from check" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand config; and __fish_seen_subcommand_from check" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand config; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand config; and __fish_seen_subcommand_from check" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "check" -d 'Check a configuration file and name what is wrong, by line'
complete -c muster -n "__fish_muster_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c muster -n "__fish_muster_using_subcommand completions" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand completions" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand completions" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand completions" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand man" -l json -d 'Print one JSON document on standard output instead of text'
complete -c muster -n "__fish_muster_using_subcommand man" -s v -l verbose -d 'Log more; twice for everything. Services log to standard output or the systemd journal, other commands to standard error'
complete -c muster -n "__fish_muster_using_subcommand man" -s h -l help -d 'Print help'
complete -c muster -n "__fish_muster_using_subcommand man" -s V -l version -d 'Print version'
complete -c muster -n "__fish_muster_using_subcommand help; and not __fish_seen_subcommand_from lab authority kms client inspect explain config completions man help" -f -a "lab" -d 'Try it: a whole estate in one process, with authority, KMS host, DNS and machines'
complete -c muster -n "__fish_muster_using_subcommand help; and not __fish_seen_subcommand_from lab authority kms client inspect explain config completions man help" -f -a "authority" -d 'The publisher\'s side: root, products, keys, certificates'
complete -c muster -n "__fish_muster_using_subcommand help; and not __fish_seen_subcommand_from lab authority kms client inspect explain config completions man help" -f -a "kms" -d 'A KMS host: it counts and licenses the machines of a network'
complete -c muster -n "__fish_muster_using_subcommand help; and not __fish_seen_subcommand_from lab authority kms client inspect explain config completions man help" -f -a "client" -d 'This machine: install keys, activate, see what is licensed and why'
complete -c muster -n "__fish_muster_using_subcommand help; and not __fish_seen_subcommand_from lab authority kms client inspect explain config completions man help" -f -a "inspect" -d 'Show a file of muster\'s in words, and say what is wrong with a bad one'
complete -c muster -n "__fish_muster_using_subcommand help; and not __fish_seen_subcommand_from lab authority kms client inspect explain config completions man help" -f -a "explain" -d 'Explain a reason code: what happened, the likely cause, what to do'
complete -c muster -n "__fish_muster_using_subcommand help; and not __fish_seen_subcommand_from lab authority kms client inspect explain config completions man help" -f -a "config" -d 'Check configuration files'
complete -c muster -n "__fish_muster_using_subcommand help; and not __fish_seen_subcommand_from lab authority kms client inspect explain config completions man help" -f -a "completions" -d 'Print completions for a shell'
complete -c muster -n "__fish_muster_using_subcommand help; and not __fish_seen_subcommand_from lab authority kms client inspect explain config completions man help" -f -a "man" -d 'Write the man pages into a directory'
complete -c muster -n "__fish_muster_using_subcommand help; and not __fish_seen_subcommand_from lab authority kms client inspect explain config completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from authority" -f -a "root" -d 'The offline root: make it, let it sign, show its fingerprint'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from authority" -f -a "init" -d 'Make an authority, with a root of its own or under an offline root'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from authority" -f -a "apply" -d 'Take in the root\'s answer to this authority\'s request'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from authority" -f -a "rotate" -d 'Make a new issuing key; what the old one signed stays valid'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from authority" -f -a "issuing" -d 'The issuing keys: list, revoke one that has leaked'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from authority" -f -a "serve" -d 'Serve hosts in the foreground: plain HTTP on loopback, HTTPS with certificate files'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from authority" -f -a "doctor" -d 'Go through every step of this authority, and say what was seen'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from authority" -f -a "product" -d 'Products and their signed policies: add, list, show, change, write out'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from authority" -f -a "key" -d 'Product keys: issue, list, show, revoke'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from authority" -f -a "host" -d 'Hosts that were certified: list, revoke'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from authority" -f -a "certify" -d 'Answer the request file of a host that cannot reach the authority'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from authority" -f -a "backup" -d 'Write a backup of the store, and with --with-keys of the secret keys beside it'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from authority" -f -a "restore" -d 'Put a backup in the place of the store, also while the service runs'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from authority" -f -a "restored" -d 'Go on safely after the database server of the store was brought back to an earlier time'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from kms" -f -a "install-key" -d 'Install a host product key and have this host certified'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from kms" -f -a "apply" -d 'Take in the authority\'s answer to this host\'s request file'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from kms" -f -a "renew" -d 'Renew the host\'s certificates, when half of their life has passed'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from kms" -f -a "remove-key" -d 'Remove a host product key; a publisher\'s last one takes the certificate with it'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from kms" -f -a "serve" -d 'Answer machines, in the foreground; prints one line when it is ready'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from kms" -f -a "status" -d 'Show the counts, keys, certificates and DNS records of this host'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from kms" -f -a "doctor" -d 'Go through every step of this host, and say what was seen'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from kms" -f -a "clients" -d 'List the machines that were counted, and until when they count'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from kms" -f -a "set" -d 'Change settings, or show them; a running service follows within a few seconds'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from kms" -f -a "retire" -d 'Withdraw this host\'s own records from DNS for good'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from kms" -f -a "dns-records" -d 'Print the DNS records for a zone that is kept by hand; --dns-zone names it'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from kms" -f -a "confirm-clock" -d 'Say that the clock is right, after the host stopped because it jumped by more than a day'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from kms" -f -a "backup" -d 'Write a backup of this host, with its keys; also while the service runs'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from kms" -f -a "restore" -d 'Put a backup in the place of this host\'s store, also while the service runs'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from client" -f -a "install-key" -d 'Install a product key with its product\'s policy'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from client" -f -a "activate" -d 'Ask for a lease now; exit code 0: licensed, 1: not, with the reason'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from client" -f -a "status" -d 'Show state, method, until when, why, and what happens next and when'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from client" -f -a "doctor" -d 'Go through every step between this machine and its licences, and say what was seen'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from client" -f -a "set-host" -d 'Ask this KMS host, and look for none in DNS'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from client" -f -a "clear-host" -d 'Forget the host that was set, and look in DNS again'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from client" -f -a "set-domain" -d 'Look for KMS hosts in this DNS domain first'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from client" -f -a "set-site" -d 'Accept KMS hosts of this site only'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from client" -f -a "set-name" -d 'Tell hosts this machine\'s name, or not; they list it where it is told'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from client" -f -a "set-time" -d 'Ask a host for the time, and show how far this machine\'s clock is off'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from client" -f -a "set-method" -d 'Allow one method of activation alone, or all'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from client" -f -a "export" -d 'Write the leases, policies and roots to files, for an independent verifier'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from client" -f -a "change-key" -d 'Replace the product key of a product that is installed'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from client" -f -a "remove-key" -d 'Remove a product\'s key and leases from this machine'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from client" -f -a "rearm" -d 'Begin the extended grace, where the policy gives one: once until the next licence'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from client" -f -a "reset-identity" -d 'Forget this machine\'s identity and leases, before an image of it is taken'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from client" -f -a "serve" -d 'Keep everything on this machine renewed: the service, in the foreground'
complete -c muster -n "__fish_muster_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "check" -d 'Check a configuration file and name what is wrong, by line'
