//! Reasons of DNS lookup and update (`MUSTER-DNS-…`), of connections, HTTP and TLS
//! (`MUSTER-NET-…`, from 0001) and of the seal around an ask (`MUSTER-NET-…`, from 0040).

use super::reasons;

reasons! {
    DNS_NAME_INVALID = "MUSTER-DNS-0001",
        "The name cannot be a DNS name",
        "a typing error, an empty label, a label over 63 or a name over 253 characters",
        "correct the name where it was configured";
    DNS_NO_SUCH_NAME = "MUSTER-DNS-0002",
        "The DNS server says that the name does not exist",
        "the record was never registered, or the domain is another one",
        "check the domain, and register the KMS host in it (`muster kms dns-records` prints the lines)";
    DNS_NO_RECORD = "MUSTER-DNS-0003",
        "The name exists but has no record of this type",
        "the name is used for something else, or the record was withdrawn",
        "register the KMS host in the zone, or name it with `muster client set-host`";
    DNS_SILENT = "MUSTER-DNS-0004",
        "The DNS server did not answer in time",
        "a wrong address, a firewall that drops UDP and TCP 53, or a server that is down",
        "ask the same server with `dig`, then correct the resolver or `--dns-server`";
    DNS_REFUSED = "MUSTER-DNS-0005",
        "The DNS server refused the query",
        "it answers only for other zones or for other networks",
        "use the resolver that this network provides, or allow this machine to ask";
    DNS_FAILED = "MUSTER-DNS-0006",
        "The DNS server reported a failure of its own",
        "the zone is not loaded, its other servers are unreachable, or its signatures do not verify",
        "read the DNS server's log; it may work again later";
    DNS_MALFORMED = "MUSTER-DNS-0007",
        "The DNS server's answer cannot be read",
        "something other than a DNS server listens there, or a device on the way rewrites answers",
        "ask the same server with `dig`, and compare with another resolver";
    DNS_TOO_MANY_RECORDS = "MUSTER-DNS-0008",
        "The DNS answer holds more records than muster reads",
        "old hosts were never withdrawn, or the answer was made to be large",
        "remove records of hosts that no longer exist from the zone";
    DNS_NO_CONFIGURATION = "MUSTER-DNS-0009",
        "The system's DNS configuration cannot be read",
        "/etc/resolv.conf is missing, unreadable, or names no server",
        "correct /etc/resolv.conf, or give `--dns-server ADDR`";
    DNS_SERVER_INVALID = "MUSTER-DNS-0010",
        "The DNS server's address cannot be read",
        "it is a name, or lacks brackets around IPv6 before the port",
        "write an address: 192.0.2.53, 192.0.2.53:5300, 2001:db8::53 or [2001:db8::53]:5300";
    DNS_UNREACHABLE = "MUSTER-DNS-0011",
        "The DNS server cannot be reached",
        "nothing listens on that address and port, or there is no route to it",
        "check the address and port of the DNS server";

    TSIG_FILE_UNREADABLE = "MUSTER-DNS-0020",
        "The TSIG key file cannot be read",
        "a wrong path, or the file belongs to another user",
        "check the path, and make the file readable by the service's user only";
    TSIG_FILE_EXPOSED = "MUSTER-DNS-0021",
        "The TSIG key file is open to everybody",
        "its mode lets all users of this machine read or write it",
        "run `chmod 600` (or 640) on the file, and make a new key if others may have read it";
    TSIG_FILE_MALFORMED = "MUSTER-DNS-0022",
        "The TSIG key file is not a BIND key file",
        "it must read: key \"NAME\" { algorithm hmac-sha256; secret \"BASE64\"; };",
        "make one with `tsig-keygen -a hmac-sha256 NAME` and give it to the DNS server too";
    TSIG_ALGORITHM_UNKNOWN = "MUSTER-DNS-0023",
        "The TSIG key's algorithm is not supported",
        "the key was made for hmac-md5, hmac-sha1 or another algorithm that is too weak or rare",
        "make a key for hmac-sha256, hmac-sha384 or hmac-sha512";
    TSIG_KEY_REJECTED = "MUSTER-DNS-0024",
        "The DNS server does not accept the TSIG key",
        "the key's name or secret differs from the server's, or the server does not know it",
        "compare name, algorithm and secret of the key on both sides";
    TSIG_CLOCK = "MUSTER-DNS-0025",
        "The DNS server's clock and this machine's differ too much for a TSIG signature",
        "one of the two clocks is more than five minutes off",
        "set both clocks, best by NTP, and try again";
    DNS_UPDATE_REFUSED = "MUSTER-DNS-0026",
        "The DNS server refused the update",
        "the key is valid but may not change this name, or updates are not allowed for the zone",
        "grant the key the SRV, A and AAAA records of the name (BIND: `update-policy`)";
    DNS_UPDATE_NOT_ZONE = "MUSTER-DNS-0027",
        "The DNS server is not the primary server of the zone",
        "the zone's name is mistyped, or the address is a secondary's or a resolver's",
        "give the exact zone, and the address of its primary server";
    DNS_UPDATE_FAILED = "MUSTER-DNS-0028",
        "The DNS server could not carry out the update",
        "its zone files are not writable, or the name belongs to another owner",
        "read the DNS server's log";
    DNS_UPDATE_UNVERIFIED = "MUSTER-DNS-0029",
        "The DNS server's answer to the update is not signed as it must be",
        "something on the way answers in the server's place, or the server computes TSIG differently",
        "look whether the record is there (`dig SRV`), and talk to the server directly";
    DNS_ZONE_SERVER_UNKNOWN = "MUSTER-DNS-0030",
        "No server was found that is responsible for the zone",
        "the zone has no SOA and NS records that this resolver can see, or is mistyped",
        "check the zone's name, or give the primary server's address with `--dns-server`";
    DNS_HOST_RECORDS_INVALID = "MUSTER-DNS-0031",
        "The host's own DNS records cannot be written",
        "the host's name is no full DNS name, or its addresses belong to a name outside the zone",
        "give the host a full name inside the zone, or leave its addresses to that name's own zone";
    DNS_LAB_SERVER = "MUSTER-DNS-0032",
        "The built-in DNS server could not start",
        "its port is taken, or its directory is not writable",
        "choose another port or directory";

    NET_REFUSED = "MUSTER-NET-0001",
        "The connection was refused",
        "the machine is up but nothing listens on that port, or a firewall rejects it",
        "check that the service runs and listens on that address and port";
    NET_NO_ROUTE = "MUSTER-NET-0002",
        "There is no way to that address",
        "no route to the network, the address family is switched off, or the machine is off",
        "check the network and the address";
    NET_CONNECT_TIMEOUT = "MUSTER-NET-0003",
        "No connection was made in time",
        "a firewall drops the packets, or the machine is off",
        "check the address, the port and the firewalls between";
    NET_ANSWER_TIMEOUT = "MUSTER-NET-0004",
        "The other side accepted the connection but did not answer in time",
        "the service is overloaded or hangs, or something else listens there",
        "look at the service's status and log on its machine";
    NET_CLOSED_EARLY = "MUSTER-NET-0005",
        "The connection was closed before the answer was complete",
        "the service stopped, reached a limit on connections, or a device between cut it",
        "try again; if it stays, look at the service's log";
    NET_NOT_HTTP = "MUSTER-NET-0006",
        "What answered does not speak HTTP as muster does",
        "another service listens on that port, or one side expects TLS and the other does not",
        "check the port, and http:// against https://";
    NET_ANSWER_TOO_LARGE = "MUSTER-NET-0007",
        "The answer is larger than muster reads",
        "something other than muster answered, or sent a page of its own",
        "check the address and what listens there";
    NET_NO_ADDRESS = "MUSTER-NET-0008",
        "There is no address to connect to",
        "the host's name has neither an IPv4 nor an IPv6 address",
        "check the host's name in DNS";
    NET_FAILED = "MUSTER-NET-0009",
        "The connection failed",
        "the operating system reported an error that is named in the detail",
        "read the detail, and try again";
    NET_PORT_TAKEN = "MUSTER-NET-0010",
        "The port is already in use",
        "another process, perhaps an earlier start of this service, listens on it",
        "find it with `ss -ltnp`, stop it, or choose another port with `--listen`";
    NET_PORT_FORBIDDEN = "MUSTER-NET-0011",
        "This user may not listen on the port",
        "ports below 1024 are kept for privileged services",
        "choose a port of 1024 or above, or grant the service CAP_NET_BIND_SERVICE";
    NET_ADDRESS_NOT_OURS = "MUSTER-NET-0012",
        "The address to listen on does not belong to this machine",
        "a mistyped address, or an interface that is not up yet",
        "choose an address that `ip address` shows, or [::] for all";
    NET_LISTEN_FAILED = "MUSTER-NET-0013",
        "The service cannot listen",
        "the operating system reported an error that is named in the detail",
        "read the detail, and check address and port";
    NET_LISTEN_INVALID = "MUSTER-NET-0014",
        "The address to listen on cannot be read",
        "it must be an address and a port, with brackets around IPv6",
        "write it as [::]:1688 or 127.0.0.1:8443";
    NET_URL_INVALID = "MUSTER-NET-0020",
        "The authority's URL cannot be used",
        "it must be http:// or https://, a host, and perhaps a port and a path, with no user or password",
        "write it like https://authority.example.com";
    NET_PLAIN_HTTP = "MUSTER-NET-0021",
        "Plain HTTP to an authority is allowed on this machine only",
        "the URL begins with http:// and its host is not a loopback address",
        "use https://, or give `--insecure-http` where the network between is trusted";
    NET_PROXY_INVALID = "MUSTER-NET-0022",
        "The proxy's URL in the environment cannot be used",
        "HTTPS_PROXY or HTTP_PROXY is not an http:// URL with a host",
        "correct the variable, or exclude the authority with NO_PROXY";
    NET_PROXY_REFUSED = "MUSTER-NET-0023",
        "The proxy did not open the way to the authority",
        "it wants a login, or does not allow this destination",
        "ask the proxy's administrator to allow the authority's host and port";
    NET_TLS_UNTRUSTED = "MUSTER-NET-0024",
        "The authority's TLS certificate is not trusted",
        "it is self-signed, or its issuer is not among this machine's trusted authorities",
        "give its issuer's certificate with `--ca-file FILE`, or install it in the system's store";
    NET_TLS_WRONG_NAME = "MUSTER-NET-0025",
        "The authority's TLS certificate is for another name",
        "the URL uses an alias or an address that the certificate does not hold",
        "use the name in the certificate, or have a certificate made for this name";
    NET_TLS_TIME = "MUSTER-NET-0026",
        "The authority's TLS certificate is not valid now",
        "it expired, begins later, or this machine's clock is wrong",
        "check this machine's clock, then renew the authority's certificate";
    NET_TLS_FAILED = "MUSTER-NET-0027",
        "No TLS connection could be agreed on",
        "the other side speaks plain HTTP or only old versions of TLS, or a device between interferes",
        "check port and scheme of the URL; TLS 1.2 or 1.3 is needed";
    NET_TLS_FILE_UNREADABLE = "MUSTER-NET-0028",
        "A TLS certificate or key file cannot be read",
        "a wrong path, or the file belongs to another user",
        "check the path and the file's owner and mode";
    NET_TLS_FILE_MALFORMED = "MUSTER-NET-0029",
        "A TLS certificate or key file holds nothing usable",
        "it must be PEM with at least one CERTIFICATE, or exactly one PRIVATE KEY without a passphrase",
        "convert it with `openssl x509` or `openssl pkey`";
    NET_TLS_KEY_EXPOSED = "MUSTER-NET-0030",
        "The TLS key file is open to everybody",
        "its mode lets all users of this machine read or write it",
        "run `chmod 600` (or 640) on the file, and replace the key if others may have read it";
    NET_TLS_KEY_MISMATCH = "MUSTER-NET-0031",
        "The TLS key does not belong to the certificate",
        "the two files come from different requests, or the leaf is not the first certificate",
        "give the pair that was made together, the leaf certificate first";

    SEAL_KEY_INVALID = "MUSTER-NET-0040",
        "An opening key is not usable",
        "the key file is damaged",
        "restore the host's directory from a backup, or activate the host again";
    SEAL_PUBLIC_KEY_INVALID = "MUSTER-NET-0041",
        "The host's public opening key is not usable",
        "the host certificate names a key that hides nothing (a point of small order)",
        "do not use this host; tell the publisher";
    SEAL_BROKEN = "MUSTER-NET-0042",
        "A sealed message does not open",
        "it was altered or cut, sealed for another host, or for an opening key that is no longer kept",
        "the client fetches the host's chain again and asks again by itself";
    SEAL_ANSWER_BROKEN = "MUSTER-NET-0043",
        "A sealed answer does not open",
        "it was altered or cut, or answers another message",
        "the client asks again by itself; if it stays, something between client and host interferes";
}
