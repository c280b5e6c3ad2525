# SPDX-License-Identifier: Apache-2.0
"""`kind: Mesh`: what is shared, and nothing about any one product."""

from typing import Annotated, Any, Literal

from pydantic import Field

from dictamesh.specs.manifest import SecretMark
from dictamesh.specs.model.events import Events
from dictamesh.specs.model.parts import ApiVersion, Duration, Listed, Names, OneOrMany, Part, PositiveDuration, Slug

ClaimType = Literal["string", "integer", "boolean"]


class Server(Part):
    """Where data is. `type` names the connector; the other keys are that connector's options."""

    model_config = {**Part.model_config, "extra": "allow"}

    type: Annotated[str, Field(description="the connector: rest, postgres, sqlite, file, or an installed one")]


class ApiKey(Part):
    """A caller that shows a key in the header X-API-Key."""

    name: Slug
    key: Annotated[str, SecretMark(), Field(description="by reference")]
    roles: Names = ()
    purposes: Names = ()
    claims: dict[str, Any] = {}


class Jwt(Part):
    """Callers that show a bearer token of an OpenID Connect issuer; only RS256 is accepted."""

    issuer: str
    audience: str
    jwks_url: str | None = Field(default=None, description="default: found by discovery at the issuer")
    jwks_file: str | None = None
    roles_claim: str = "roles"
    purposes_claim: str = "purposes"
    purpose_claim: str = "purpose"
    leeway: Duration = 30.0


class Anonymous(Part):
    """What strangers see where no policy speaks (S15)."""

    sees: Literal["public", "internal"] = "public"


class Security(Part):
    """Who calls. Without this block everyone is anonymous, sees what is public, and the runtime stays on loopback."""

    anonymous: Anonymous | Literal[False] = Field(default=Anonymous(), description="false: refuse strangers")
    claims: dict[str, ClaimType | Annotated[tuple[ClaimType, ...], Listed, Field(min_length=1, max_length=1)]] = Field(
        default={}, description="what policies may ask of a principal: a type, or [type] for a list"
    )
    keys: dict[str, Annotated[str, SecretMark()]] = Field(default={}, description="mask keys by reference")
    api_keys: Annotated[tuple[ApiKey, ...], Listed] = ()
    jwt: Jwt | None = None


class Limits(Part):
    """What one operation may ask for (S10). All are counted before any work."""

    limit: Annotated[int, Field(ge=1, le=1000, description="rows of a root list that gives no limit")] = 100
    relation_limit: Annotated[int, Field(ge=1, le=1000, description="rows of a relation that gives no limit")] = 20
    max_limit: Annotated[int, Field(ge=1, le=10_000)] = 1000
    max_offset: Annotated[int, Field(ge=0)] = 10_000
    depth: Annotated[int, Field(ge=1, le=50)] = 10
    body: Annotated[int, Field(ge=1024, description="bytes of a request body")] = 100_000
    tokens: Annotated[int, Field(ge=10, le=100_000)] = 2000
    cost: Annotated[int, Field(ge=1, description="rows by declared limits")] = 100_000
    rows: Annotated[int, Field(ge=1, description="rows fetched for one operation")] = 20_000
    max_scan: Annotated[int, Field(ge=1, description="rows that one local filter or sort may read")] = 10_000
    in_list: Annotated[int, Field(ge=1)] = 1000


class Cors(Part):
    """Which web origins may call; none by default."""

    origins: Names = ()
    credentials: bool = False
    max_age: Duration = 600.0


class Subscriptions(Part):
    """Subscriptions of the GraphQL endpoint, over WebSocket and as server-sent events."""

    max: Annotated[int, Field(ge=0, description="subscriptions of one process at most; 0: none")] = 1000
    per_caller: Annotated[
        int, Field(ge=1, description="subscriptions of one caller at most, and WebSockets; strangers are one caller")
    ] = 500
    per_connection: Annotated[int, Field(ge=1, le=1000, description="operations of one WebSocket at most")] = 20
    keep_alive: Annotated[PositiveDuration, Field(description="how often a quiet connection is written to")] = 15.0
    patience: Annotated[
        PositiveDuration, Field(description="how long a message may wait for a client to take it; then it is cut off")
    ] = 10.0
    recheck: Annotated[
        PositiveDuration, Field(description="how often the credentials of a subscriber are checked anew")
    ] = 60.0


class Gateway(Part):
    """The GraphQL endpoint."""

    engine: Literal["graphql-core", "tartiflette"] = "graphql-core"
    introspection: bool = True
    page: Annotated[bool, Field(description="serve the page for browsers at GET /graphql")] = True
    explain: Names = Field(default=(), description="roles whose callers may ask why an answer is as it is")
    limits: Limits = Limits()
    cors: Cors = Cors()
    subscriptions: Subscriptions = Subscriptions()


class Pool(Part):
    """Connections to the catalog's database (MC-14)."""

    max: Annotated[int, Field(ge=1, le=200)] = 25
    idle: Annotated[int, Field(ge=0, le=200)] = 10


class Catalog(Part):
    """Where metadata and audit live; without `dsn` in an embedded PostgreSQL under the data folder."""

    dsn: Annotated[str, SecretMark(), Field(description="postgresql://... by reference")] | None = None
    auto_migrate: bool = True
    pool: Pool = Pool()
    editors: Names = ()
    observe: bool = False
    write_every: PositiveDuration = 60.0


class Usage(Part):
    """Who reads which fields, counted by day, caller and purpose."""

    days: Annotated[int, Field(ge=0, le=3660)] = 90
    readers: Names | None = None


class Audit(Part):
    """How reads are recorded (S30)."""

    on_failure: Annotated[
        Literal["deny", "allow"], Field(description="what happens to an answer whose audit row cannot be written")
    ] = "deny"
    key: Annotated[
        str | None,
        Field(description="a name in security.keys that turns subjects into tokens; default: one kept on disk"),
    ] = None
    readers: Annotated[Names, Field(description="roles that may read the audit log over HTTP")] = ()
    signing_key: Annotated[
        str | None,
        Field(description="a name in security.keys that signs where the log ends; default: one kept on disk"),
    ] = None
    sign_every: Annotated[PositiveDuration, Field(description="how often that is signed")] = 60.0
    publish: Annotated[
        str | None,
        Field(description="a file, or an http(s) address that takes each signed statement by POST"),
    ] = None


class Retention(Part):
    """How often what is older than its contract allows is taken out of the catalog and the event log (GV-7)."""

    enabled: bool = True
    every: PositiveDuration = 21_600.0


class Erasure(Part):
    """How data subjects are erased, and where that is recorded outside the database (GV-12)."""

    ledger: Annotated[
        str | None, Field(description="the file that a restored database is held against; default: in the data folder")
    ] = None
    key: Annotated[
        str | None,
        Field(description="a name in security.keys that wraps the keys of data subjects; default: one kept on disk"),
    ] = None
    deadline: Annotated[
        PositiveDuration, Field(description="how long the owners of sources have, unless the command says otherwise")
    ] = 2_592_000.0


class OpenLineage(Part):
    """Where run events go besides the catalog, in the form of OpenLineage."""

    url: Annotated[
        str | None, Field(description="a collector, `http://` or `https://`; without a path `/api/v1/lineage` is added")
    ] = None
    api_key: Annotated[str, SecretMark()] | None = None
    file: Annotated[str | None, Field(description="a file of JSON lines, relative to the mesh file")] = None
    queries: Annotated[
        Literal["none", "sampled", "all"],
        Field(description="sampled: one run per job and `everySeconds` stands for all; all: one per operation"),
    ] = "sampled"
    every_seconds: Annotated[int, Field(ge=1, le=86_400, description="how long such a run collects")] = 60


class Lineage(Part):
    """Lineage that is observed: events sent, and events taken in at `POST /api/v1/lineage`."""

    writers: Annotated[Names, Field(description="roles whose events are taken in; none by default")] = ()
    strict: Annotated[
        bool, Field(description="refuse events that lack a time, a run id, a producer or a schema, too")
    ] = False
    keep: Annotated[int, Field(ge=0, le=100_000, description="events sent that the catalog keeps to be read")] = 1000
    openlineage: OpenLineage = OpenLineage()


class Runtime(Part):
    """Settings of the process, outside the plan: defaults < mesh file < environment DICTAMESH_* < command line."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = 9090
    data_dir: str = "./.dictamesh"
    shutdown_timeout: Duration = 30.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "json"
    watch: Annotated[bool, Field(description="reload when a spec file changes")] = True


class Breaker(Part):
    """When calls to a failing server stop for a while (S23)."""

    failures: Annotated[int, Field(ge=1)] = 5
    open_for: PositiveDuration = 30.0
    half_open: Annotated[int, Field(ge=1)] = 3


class Retry(Part):
    """When a call that failed for a passing reason is tried again (S23)."""

    attempts: Annotated[int, Field(ge=1, le=20)] = 5
    initial: Duration = 0.1
    max: Duration = 2.0
    multiplier: Annotated[float, Field(ge=1)] = 2.0
    jitter: bool = True
    within: Annotated[PositiveDuration, Field(description="all attempts and waits together")] = 5.0


class Bulkhead(Part):
    """How many calls to a server are under way at once (S23)."""

    max_concurrent: Annotated[int, Field(ge=1)] = 20
    queue: Annotated[int, Field(ge=0)] = 100


class RateLimit(Part):
    """How many calls a server gets per time (S23)."""

    per_second: Annotated[float, Field(gt=0)] | None = None
    per_minute: Annotated[float, Field(gt=0)] | None = None
    burst: Annotated[int, Field(ge=1)] = 10
    max_wait: Duration = 1.0


class Resilience(Part):
    """What stands around every call to a server (S23)."""

    timeout: PositiveDuration = 2.0
    rate_limit: RateLimit | None = None
    bulkhead: Bulkhead = Bulkhead()
    breaker: Breaker = Breaker()
    retry: Retry = Retry()


class CacheSettings(Part):
    """The cache in the process (S25)."""

    enabled: bool = True
    size: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    stale_for: Duration = 3600.0


class QualityChecks(Part):
    """How a running mesh checks the quality rules of its products; one replica does the work."""

    enabled: bool = True
    every: Annotated[PositiveDuration, Field(description="for rules without a schedule of their own")] = 86_400.0
    max_scan: Annotated[
        int,
        Field(ge=1, le=99_999, description="rows that the rules of an entity may read where the source cannot count"),
    ] = 50_000
    keep: Annotated[PositiveDuration, Field(description="how long results are kept")] = 7_776_000.0


class Mesh(Part):
    """The `--config` file."""

    api_version: ApiVersion
    kind: Literal["Mesh"]
    name: Slug
    description: str = ""
    include: OneOrMany | None = None
    servers: dict[str, Server] = {}
    roles: Names = ()
    purposes: Names = ()
    security: Security | None = None
    gateway: Gateway = Gateway()
    catalog: Catalog = Catalog()
    audit: Audit = Audit()
    retention: Retention = Retention()
    erasure: Erasure = Erasure()
    usage: Usage = Usage()
    cache: CacheSettings = CacheSettings()
    quality: QualityChecks = QualityChecks()
    lineage: Lineage = Lineage()
    events: Events = Events()
    resilience: dict[str, Resilience] = Field(default={}, description="per server name; 'default' for all others")
    runtime: Runtime = Runtime()
