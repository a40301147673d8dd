//! Every limit of the system, each with its unit in its name.

/// How deep CBOR may nest, the outermost item counted.
pub const CBOR_DEPTH_MAX: usize = 8;

/// Certificates in a chain: the host's and the issuing key's. The root is never carried.
pub const CHAIN_CERTIFICATES_MAX: usize = 2;

/// Bytes of a certificate.
pub const CERT_BYTES_MAX: usize = 1_024;
/// Bytes of a policy.
pub const POLICY_BYTES_MAX: usize = 4_096;
/// Bytes of an ask before it is sealed.
pub const ASK_BYTES_MAX: usize = 1_400;
/// Bytes of an answer with its chain before it is sealed: leases for 16 products with the longest
/// ids fit.
pub const ANSWER_BYTES_MAX: usize = 8_192;
/// Bytes of a lease with its chain.
pub const LEASE_BYTES_MAX: usize = 4_096;
/// Bytes of a revocation delta with its chain.
pub const REVOCATIONS_BYTES_MAX: usize = 4_096;
/// Bytes of a request for a certificate.
pub const REQUEST_BYTES_MAX: usize = 4_096;
/// Bytes of an opening-key statement.
pub const OPENING_BYTES_MAX: usize = 1_024;
/// Bytes of a directory object or a confirmation.
pub const OBJECT_BYTES_MAX: usize = 4_096;
/// Bytes of a root file.
pub const ROOT_BYTES_MAX: usize = 1_024;
/// Bytes of a policy bundle: root, chain, policy and eight full revocation deltas.
pub const BUNDLE_BYTES_MAX: usize = 49_152;

/// Bytes of a reason's code.
pub const REASON_CODE_BYTES_MAX: usize = 24;
/// Bytes of a product, pool or site id.
pub const ID_BYTES_MAX: usize = 32;
/// Bytes of a display name.
pub const NAME_BYTES_MAX: usize = 128;
/// Products one certificate, ask or answer may name.
pub const PRODUCTS_MAX: usize = 16;
/// Sites one certificate may name.
pub const SITES_MAX: usize = 16;
/// Root keys of one publisher, the present one and the next ones.
pub const ROOT_KEYS_MAX: usize = 3;
/// Entries of one revocation delta.
pub const REVOCATION_ENTRIES_MAX: usize = 64;
/// How far one delta that an issuing key signed may move the revocation number; the root is free.
/// Enough for every restored authority that skips numbers, far too little to spend them all.
pub const REVOCATION_STEP_MAX: u64 = 1 << 32;
/// Component tags of one machine: eight kinds.
pub const COMPONENT_KINDS: usize = 8;
/// Digests of product files a policy may name.
pub const FILE_DIGESTS_MAX: usize = 32;

/// Latest time a statement may name, in seconds since 1970: the end of the year 9999.
pub const TIME_SECONDS_MAX: u64 = 253_402_300_799;

/// Longest life of a VM lease, in seconds: 7 days.
pub const VM_LEASE_SECONDS_MAX: u64 = 7 * 86_400;
/// Life of an issuing certificate by default, in seconds: 5 years of 365 days.
pub const ISSUING_CERT_SECONDS: u64 = 5 * 365 * 86_400;
/// Life of a host certificate, in seconds: 1 year of 365 days; it is renewed from half of it.
pub const HOST_CERT_SECONDS: u64 = 365 * 86_400;
/// After this time the host replaces its opening key, in seconds: 30 days.
pub const OPENING_KEY_SECONDS: u64 = 30 * 86_400;
/// How long a replaced opening key still opens, in seconds: 7 days.
pub const OPENING_KEY_KEPT_SECONDS: u64 = 7 * 86_400;

/// Hosts one KMS host key activates by default.
pub const HOST_KEY_HOSTS_DEFAULT: u32 = 6;
/// Activations of one host under one KMS host key by default.
pub const HOST_KEY_ACTIVATIONS_DEFAULT: u32 = 10;

/// New identities one source may bring in an hour by default; a source is an IPv4 address or an
/// IPv6 /64.
pub const NEW_IDENTITIES_PER_SOURCE_HOUR: u32 = 600;
/// Sources the limiter remembers at most; past that, the one idle for longest is forgotten.
pub const LIMITER_SOURCES_MAX: usize = 65_536;

/// A clock difference larger than this is reported, in seconds: 4 hours.
pub const CLOCK_DIFFERENCE_REPORTED_SECONDS: u64 = 4 * 3_600;
/// A jump of the host's clock against its boot clock larger than this stops expiry and signing of
/// new time until confirmed, in seconds: 1 day.
pub const HOST_CLOCK_JUMP_SECONDS: u64 = 86_400;
/// How far time signed by a host may raise a client's floor above its own clock, in seconds: 1 day.
pub const FLOOR_ABOVE_OWN_CLOCK_SECONDS: u64 = 86_400;

/// Tickets a client keeps: one for each store it has met.
pub const TICKETS_MAX: usize = 8;
/// Orders to make a new key that a client obeys in `REKEY_WINDOW_SECONDS`.
pub const REKEY_ORDERS_MAX: usize = 3;
/// The time in which `REKEY_ORDERS_MAX` counts, in seconds: 30 days.
pub const REKEY_WINDOW_SECONDS: u64 = 30 * 86_400;

/// Shortest interval between asks a policy or host may set, in seconds: 15 minutes.
pub const INTERVAL_SECONDS_MIN: u64 = 900;
/// Longest interval between asks a policy or host may set, in seconds: 30 days.
pub const INTERVAL_SECONDS_MAX: u64 = 30 * 86_400;
/// Jitter on both intervals, in percent either way.
pub const JITTER_PERCENT: u64 = 10;

/// Bytes of a text that is read as a product key; 25 symbols with whatever stands between them.
pub const KEY_TEXT_BYTES_MAX: usize = 512;
/// Product keys one source may try at an authority in a minute.
pub const KEY_TRIES_PER_SOURCE_MINUTE: u32 = 10;

/// Records of one DNS answer that are read.
pub const DNS_RECORDS_MAX: usize = 64;
/// Addresses of one host that are tried.
pub const DNS_ADDRESSES_MAX: usize = 16;
/// Aliases (CNAME) one after the other that lead to an SRV record.
pub const DNS_ALIASES_MAX: usize = 8;
/// How long one try of a DNS question may take, in seconds.
pub const DNS_ATTEMPT_SECONDS: u64 = 2;
/// How often a DNS question is asked again when nothing comes back.
pub const DNS_RETRIES: usize = 1;
/// How long a DNS lookup may take in all, in seconds.
pub const DNS_LOOKUP_SECONDS: u64 = 10;
/// How long one DNS update may take with its connection, in seconds.
pub const DNS_UPDATE_SECONDS: u64 = 5;
/// Time to live of the records a host registers, in seconds: 1 hour.
pub const DNS_RECORD_TTL_SECONDS: u32 = 3_600;
/// Bytes of a TSIG key file.
pub const TSIG_FILE_BYTES_MAX: usize = 4_096;
/// Least bytes of a TSIG secret: 128 bits.
pub const TSIG_SECRET_BYTES_MIN: usize = 16;
/// Most bytes of a TSIG secret.
pub const TSIG_SECRET_BYTES_MAX: usize = 512;
/// Clock difference a TSIG signature allows, in seconds (RFC 8945 section 10).
pub const TSIG_FUDGE_SECONDS: u16 = 300;

/// Connections a listener holds at once by default.
pub const HTTP_CONNECTIONS_MAX: usize = 10_000;
/// Connections a listener holds at once from one source by default; a source is an IPv4 address or
/// an IPv6 /64.
pub const HTTP_CONNECTIONS_PER_SOURCE_MAX: usize = 1_000;
/// Open files that a listener leaves to the rest of its process: its store, DNS, an authority.
pub const HTTP_DESCRIPTORS_RESERVED: u64 = 128;
/// Sources that still find a connection each where the limit of open files allows fewer connections.
pub const HTTP_SOURCES_AT_LEAST: usize = 8;
/// Connections at once to the page of metrics: some monitoring systems, not the world.
pub const METRICS_CONNECTIONS_MAX: usize = 16;
/// Bytes of a request's or an answer's HTTP head.
pub const HTTP_HEAD_BYTES_MAX: usize = 16_384;
/// Headers of a request of which a listener tells itself where it ends.
pub const HTTP_HEADERS_MAX: usize = 64;
/// Requests at once that a listener cannot tell the end of before they are read: in chunks, or with
/// more than a length. Each takes ten times the memory of others; more wait.
pub const HTTP_OTHERS_MAX: usize = 256;
/// Connections that may wait to be accepted; the kernel may allow fewer (`net.core.somaxconn`).
pub const HTTP_BACKLOG_MAX: i32 = 4_096;
/// Bytes of a request's body by default.
pub const HTTP_BODY_BYTES_MAX: usize = 65_536;
/// Bytes of an answer's body a client reads by default.
pub const HTTP_ANSWER_BYTES_MAX: usize = 65_536;
/// Bytes of an answer's body that is read from an authority by default.
pub const AUTHORITY_ANSWER_BYTES_MAX: usize = 1_048_576;
/// How long a request's head may take to arrive, in seconds; this is also how long a connection
/// may stay without a request.
pub const HTTP_HEAD_SECONDS: u64 = 15;
/// How long a request's body may take to arrive, in seconds.
pub const HTTP_BODY_SECONDS: u64 = 10;
/// How long a request may take from its head to its answer, in seconds.
pub const HTTP_REQUEST_SECONDS: u64 = 30;
/// How long a stopping service waits for requests under way, in seconds.
pub const HTTP_STOP_SECONDS: u64 = 10;
/// How long a TLS handshake may take, in seconds.
pub const TLS_HANDSHAKE_SECONDS: u64 = 10;
/// How often a service looks whether its TLS files were renewed, in seconds.
pub const TLS_FILES_CHECK_SECONDS: u64 = 60;
/// Bytes of a PEM file with certificates or a key.
pub const TLS_FILE_BYTES_MAX: usize = 1_048_576;
/// How long sent bytes may stay unacknowledged before a connection is given up, in seconds.
pub const HTTP_UNACKNOWLEDGED_SECONDS: u64 = 30;
/// How long a peer may let an answer wait before it has taken all of it, in seconds.
pub const HTTP_UNTAKEN_SECONDS: u64 = 30;
/// Bytes of answers that wait for one peer at most; the kernel takes twice as much for them.
pub const HTTP_SEND_BYTES: usize = 131_072;
/// Lines of one kind that a service may log at once, beyond those of `LOG_LINES_PER_SECOND`.
pub const LOG_LINES_BURST: u32 = 2_000;
/// Lines of one kind that a service logs in a second in the long run. The rest is counted.
pub const LOG_LINES_PER_SECOND: u32 = 20;
/// Lines of a service's log that wait for its reader at most; more are lost, not waited for.
pub const LOG_LINES_WAITING_MAX: usize = 8_192;
/// How often a service tells how many lines of one kind it left out, in seconds.
pub const LOG_LEFT_OUT_SECONDS: u64 = 60;
/// How often a listener reports faults of connections at most, in seconds.
pub const HTTP_FAULT_REPORT_SECONDS: u64 = 60;
/// How long a client waits for a connection to one host, in seconds.
pub const HTTP_CONNECT_SECONDS: u64 = 3;
/// After this time the next address of a host is tried beside the one before, in milliseconds
/// (RFC 8305 section 5).
pub const HTTP_NEXT_ADDRESS_MILLISECONDS: u64 = 250;
/// How long a client waits for an answer, in seconds.
pub const HTTP_ANSWER_SECONDS: u64 = 10;

/// Bytes that a doctor writes to see whether a host's or an authority's disk takes them: some pages
/// of the store's log.
pub const STORE_TRY_BYTES: usize = 65_536;
/// The same of a client's: about as many as its two files have.
pub const CLIENT_TRY_BYTES: usize = 8_192;
/// Products that a refusal lists.
pub const PRODUCTS_LISTED_MAX: usize = 16;
/// Characters that are shown of what a host says beside an error.
pub const HOST_WORDS_MAX: usize = 256;
/// Digits of its thumbprint that name an issuing key at least: fewer could be a slip.
pub const ISSUING_DIGITS_MIN: usize = 8;
/// How long before its end a certificate is warned about, in days.
pub const CERT_WARNING_DAYS: u64 = 60;
/// Bytes of a sealed ask, and of a sealed answer, that a client keeps to: it asks in turns for as
/// many products as have room. One packet of an IPv6 network carries it.
pub const EXCHANGE_BYTES_MAX: usize = 1_400;
/// The clear head of a sealed ask, in bytes: version, publisher, certificate, opening key.
pub const SEALED_HEAD_BYTES: usize = 1 + 16 + 32 + 8;
/// What sealing adds to an ask, in bytes: head, encapsulated key, secret and AEAD tag.
pub const SEAL_ASK_BYTES: usize = SEALED_HEAD_BYTES + 32 + 32 + 16;
/// What sealing adds to an answer, in bytes: response nonce and AEAD tag.
pub const SEAL_ANSWER_BYTES: usize = 16 + 16;

/// First bytes of a foreign service that a diagnosis reads and shows.
pub const PROBE_BYTES_MAX: usize = 64;
/// How long a diagnosis waits for them, in seconds.
pub const PROBE_SECONDS: u64 = 3;

/// Bytes of a sealed ask as it is posted: head, encapsulated key, secret, ask and AEAD tag.
pub const SEALED_ASK_BYTES_MAX: usize = 1_600;
/// Bytes of a host's greeting: two certificates and an opening-key statement.
pub const HELLO_BYTES_MAX: usize = 4_096;
/// Revocation deltas a bundle may carry.
pub const REVOCATION_DELTAS_MAX: usize = 8;

/// Pools one client may count in at once.
pub const CLIENT_POOLS_MAX: usize = 8;

/// Bytes of the authority's answer to a certification: chain, policies, revocations.
pub const ACTIVATION_BYTES_MAX: usize = 131_072;
/// Bytes of a publisher document: root, issuing chain, URL.
pub const PUBLISHER_BYTES_MAX: usize = 4_096;
/// Bytes of the root's answer to an issuing key: root and certificate.
pub const ISSUING_ANSWER_BYTES_MAX: usize = 4_096;
/// Bytes of a list of revocation deltas.
pub const REVOCATION_LIST_BYTES_MAX: usize = 65_536;
/// Bytes of a file with an authority's secret.
pub const SECRET_FILE_BYTES_MAX: usize = 1_024;
/// Bytes of an authority's URL.
pub const URL_BYTES_MAX: usize = 512;
/// Product keys issued by one command.
pub const KEYS_ISSUED_AT_ONCE_MAX: u32 = 100_000;
/// Hosts or activations that one product key may have.
pub const KEY_LIMIT_MAX: u32 = 1_000_000;
/// Clients one host may count by default.
pub const HOST_CLIENT_BUDGET_DEFAULT: u32 = 100_000;
/// Clients that an issuing key may grant to one host by default.
pub const ISSUING_CLIENT_BUDGET_DEFAULT: u32 = 1_000_000;
/// Longest lease validity of a policy, in days.
pub const POLICY_VALIDITY_DAYS_MAX: u64 = 3_660;
/// Characters of each word of an authority's refusal that are shown.
pub const AUTHORITY_WORDS_MAX: usize = 256;
/// How long before its issue a certificate begins, for clocks that are behind, in seconds: 1 hour.
pub const CERT_BACKDATED_SECONDS: u64 = 3_600;
/// Requests one source may send to an authority in a minute; a source is an IPv4 address or an
/// IPv6 /64.
pub const AUTHORITY_REQUESTS_PER_SOURCE_MINUTE: u32 = 600;

/// Bytes of a client's state file.
pub const STATE_BYTES_MAX: usize = 1_048_576;
/// Bytes of a client's identity file.
pub const IDENTITY_BYTES_MAX: usize = 262_144;
/// Publishers whose products one client holds.
pub const CLIENT_PUBLISHERS_MAX: usize = 64;
/// Hosts of one publisher whose newest certificate a client remembers.
pub const CLIENT_HOSTS_MAX: usize = 16;
/// Revocation deltas of one publisher a client keeps; past that it fetches from the first.
pub const CLIENT_REVOCATION_DELTAS_MAX: usize = 32;
/// Removed products of one publisher of which a client remembers what installing them again must not
/// undo.
pub const CLIENT_REMOVED_MAX: usize = 32;
/// Hosts an administrator may configure for one product, one publisher, or all.
pub const CONFIGURED_HOSTS_MAX: usize = 16;
/// Bytes of a host as it is configured: a DNS name and a port.
pub const HOST_BYTES_MAX: usize = 262;
/// Hosts one ask may try, one after the other.
pub const ASK_HOSTS_MAX: usize = 32;
/// How long one host may take in all before the next is asked, in seconds.
pub const ASK_HOST_SECONDS_MAX: u64 = 30;

/// Bytes of a request to the client service's local socket, without its length.
pub const LOCAL_REQUEST_BYTES_MAX: usize = 128;
/// Bytes of the local socket's answer, without its length.
pub const LOCAL_ANSWER_BYTES_MAX: usize = 1_024;
/// Bytes of what an answer of the local socket says was seen.
pub const LOCAL_DETAIL_BYTES_MAX: usize = 512;
/// Connections that the local socket holds at once; more are told so and closed.
pub const LOCAL_CONNECTIONS_MAX: usize = 128;
/// Connections that the local socket holds at once for one user.
pub const LOCAL_CONNECTIONS_PER_USER_MAX: usize = 16;
/// How long a request may take to arrive at the local socket, in seconds.
pub const LOCAL_REQUEST_SECONDS: u64 = 5;
/// How long the local socket waits for hosts before it answers that they are still being asked, in
/// seconds.
pub const LOCAL_ANSWER_SECONDS: u64 = 60;
/// How long a caller waits for the local socket's answer in all, in seconds.
pub const LOCAL_WAIT_SECONDS: u64 = 75;
/// How long a user's place at the local socket stays taken after its answer, in milliseconds: with
/// `LOCAL_CONNECTIONS_PER_USER_MAX` it bounds what one user can make the service do.
pub const LOCAL_PLACE_KEPT_MILLISECONDS: u64 = 100;
/// No caller of the local socket causes an ask so soon after the last one, in seconds.
pub const LOCAL_ASK_INTERVAL_SECONDS: u64 = 60;
/// No caller of the local socket causes an ask when hosts of the publisher were asked so often in
/// the last hour.
pub const LOCAL_ASKS_PER_HOUR: usize = 12;

/// Changes that may wait for a store's disk at once.
pub const STORE_QUEUE_MAX: usize = 65_536;
/// Changes that share one commit at most; the rest wait for the next.
pub const STORE_BATCH_MAX: usize = 4_096;
/// How long a store waits for another process that writes to its database, in milliseconds.
pub const STORE_BUSY_MILLISECONDS: u64 = 5_000;
/// Page cache of a store's writer, in KiB.
pub const STORE_CACHE_KIB: u32 = 8_192;
/// Page cache of each of a store's readers, in KiB.
pub const STORE_READER_CACHE_KIB: u32 = 1_024;
/// Readers of a store beside its one writer.
pub const STORE_READERS: usize = 2;
/// Pages of 4 KiB after which a store's log is moved into its database. More is smoother, and
/// slower to start after a crash: 4,000 pages take about 50 ms to read.
pub const STORE_WAL_PAGES: u32 = 4_000;
/// How long one database server is tried before the next of its URL, in milliseconds.
pub const POSTGRES_CONNECT_MILLISECONDS: u64 = 2_000;
/// How long a transaction may take on a database server until its commit, in milliseconds.
pub const POSTGRES_TRANSACTION_MILLISECONDS: u64 = 5_000;
/// How long a commit is waited for; after that its outcome is unknown, in milliseconds.
pub const POSTGRES_COMMIT_MILLISECONDS: u64 = 5_000;
/// How long a database server lets a transaction stand still, in milliseconds: one of a host that
/// was paused holds up the others no longer.
pub const POSTGRES_STANDSTILL_MILLISECONDS: u64 = 5_000;
/// Connections of one process to its database server.
pub const POSTGRES_CONNECTIONS_MAX: usize = 8;
/// How often a transaction is run when others came in between.
pub const POSTGRES_TRIES_MAX: u32 = 30;
/// The pause before the second run of a transaction, in milliseconds; it doubles from run to run.
pub const POSTGRES_PAUSE_MILLISECONDS: u64 = 1;
/// The longest pause between two runs of a transaction, in milliseconds.
pub const POSTGRES_PAUSE_MILLISECONDS_MAX: u64 = 250;
/// Changes of an authority that share one transaction on a database server; the rest wait for the
/// next.
pub const POSTGRES_BATCH_MAX: usize = 64;
/// Changes or reads of an authority that may wait for a database server at once.
pub const POSTGRES_QUEUE_MAX: usize = 4_096;
/// Threads of an authority that read from a database server beside the one that writes.
pub const POSTGRES_READERS: usize = 2;
/// How long it is tried to find out whether a transaction was committed whose connection broke, in
/// milliseconds.
pub const POSTGRES_OUTCOME_MILLISECONDS: u64 = 10_000;
/// The pause between two tries to find that out, in milliseconds.
pub const POSTGRES_OUTCOME_PAUSE_MILLISECONDS: u64 = 100;
/// How long the names of committed transactions are kept, in seconds.
pub const POSTGRES_DONE_KEPT_SECONDS: i64 = 86_400;
/// How often older ones are removed, in seconds.
pub const POSTGRES_DONE_SWEPT_SECONDS: u64 = 3_600;
/// Asks to a KMS host that share one transaction on a database server; the rest wait for the next.
pub const POSTGRES_ASKS_MAX: usize = 1_024;
/// Database servers that one URL may name.
pub const POSTGRES_HOSTS_MAX: usize = 8;
/// Bytes of the URL of a store.
pub const POSTGRES_URL_BYTES_MAX: usize = 2_048;
/// Bytes of one value that a store keeps as it is: a setting, key, certificate or policy.
pub const STORE_VALUE_BYTES_MAX: usize = 131_072;
/// Bytes of what an audit entry says.
pub const AUDIT_TEXT_BYTES_MAX: usize = 512;
/// Rows of one page of a listing.
pub const LIST_ROWS_MAX: usize = 1_000;
/// Count pools and publishers of one store.
pub const STORE_POOLS_MAX: u32 = 65_535;

/// How often a KMS host writes its DNS records again, in seconds: 24 hours.
pub const DNS_REFRESH_SECONDS: u64 = 86_400;
/// How soon a KMS host writes its DNS records again after a zone could not be updated, in seconds:
/// 15 minutes.
pub const DNS_RETRY_SECONDS: u64 = 900;
/// How often a running service looks whether another command changed its directory, in seconds.
pub const FOLLOW_SECONDS: u64 = 1;
/// How often a running KMS host looks after its keys and notes its clock, in seconds: 1 hour.
pub const UPKEEP_SECONDS: u64 = 3_600;
/// The longest pause of a client service after nobody could be asked or the disk did not take what was
/// noticed, in seconds; the first is a second, each later one twice the one before it.
pub const CLIENT_PAUSE_SECONDS_MAX: u64 = 60;

/// How long the row of a client that no longer counts is kept after its last ask, in seconds: a day
/// longer than any opening key opens that ask, so that nobody who recorded it can bring it as a
/// first contact. After that it is a new client with a true ticket.
pub const CLIENT_ROW_KEPT_SECONDS: u64 = OPENING_KEY_SECONDS + OPENING_KEY_KEPT_SECONDS + 86_400;
/// How soon after its start a KMS host asks its authorities for news, in seconds.
pub const REFRESH_FIRST_SECONDS: u64 = 60;
/// How often a KMS host asks its authorities for news, in seconds: 24 hours.
pub const REFRESH_SECONDS: u64 = 86_400;
/// Serials of each channel and product group that a restored authority leaves unused: those that
/// may have been issued after the backup.
pub const RESTORE_SERIALS_SKIPPED: u64 = 1_000_000;
/// Revocation numbers that a restored authority leaves unused.
pub const RESTORE_REVOCATIONS_SKIPPED: u64 = 1_000_000;
/// Policy versions that a restored authority leaves unused.
pub const RESTORE_VERSIONS_SKIPPED: u64 = 1_000;
