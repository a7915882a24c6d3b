# One health check from the member itself, with what it has: curl, perl (in every Debian) or wget.
# SCHEME, ADDRESS, PORT, REQUEST_PATH, HOST, TIMEOUT_S. Answers "ok DETAIL" or "bad REASON".
check_curl() {
  code=$(curl -s -k -o /dev/null -m "$TIMEOUT_S" -H "Host: $HOST" -w '%{http_code}' "$SCHEME://$URL_ADDRESS:$PORT$REQUEST_PATH" 2>/dev/null)
  case $? in
    0) printf 'status %s' "$code" >&3 ;;
    7) printf 'bad connection refused' >&3 ;;
    28) printf 'bad no answer within %s s' "$TIMEOUT_S" >&3 ;;
    *) printf 'bad no HTTP answer' >&3 ;;
  esac
}
check_perl() {
  perl -e '
    my ($kind, $address, $port, $path, $host, $time) = @ARGV;
    my $class = $address =~ /:/ ? "IO::Socket::IP" : "IO::Socket::INET";
    eval "require $class; 1" or do { print "bad no way to check"; exit };
    $SIG{ALRM} = sub { print "bad no answer within $time s"; exit };
    alarm($time < 1 ? 1 : int($time + 0.999));
    my $s = $class->new(PeerAddr => $address, PeerPort => $port, Proto => "tcp", Timeout => $time)
      or do { my $why = lc("$!") || "no connection"; print "bad $why"; exit };
    if ($kind eq "tcp") { print "ok connected"; exit }
    print $s "GET $path HTTP/1.1\r\nHost: $host\r\nUser-Agent: standfast\r\nConnection: close\r\n\r\n"; $s->flush;
    my $line = <$s>;
    print defined $line && $line =~ m{^HTTP/\S+ (\d{3})} ? "status $1" : "bad no HTTP answer";
  ' "$SCHEME" "$ADDRESS" "$PORT" "$REQUEST_PATH" "$HOST" "$TIMEOUT_S" >&3
}
check_wget() {
  said=$(wget -q -S -O /dev/null --no-check-certificate -T "$TIMEOUT_S" -t 1 --header "Host: $HOST" "$SCHEME://$URL_ADDRESS:$PORT$REQUEST_PATH" 2>&1)
  code=$(printf '%s\n' "$said" | sed -n 's|^ *HTTP/[^ ]* \([0-9]*\).*|\1|p' | tail -n 1)
  if [ -n "$code" ]; then printf 'status %s' "$code" >&3; else printf 'bad %s' "$(tail_of "$said" 1)" >&3; fi
}
check_here() {
  sect health
  case $SCHEME in
    tcp) if has perl; then check_perl; elif has curl; then SCHEME=telnet; curl -s -m "$TIMEOUT_S" "telnet://$URL_ADDRESS:$PORT" </dev/null >/dev/null 2>&1; [ $? != 7 ] && printf 'ok connected' >&3 || printf 'bad connection refused' >&3
      else printf 'none' >&3; fi ;;
    http) if has perl; then check_perl; elif has curl; then check_curl; elif has wget; then check_wget; else printf 'none' >&3; fi ;;
    *) if has curl; then check_curl; elif has wget; then check_wget; else printf 'none' >&3; fi ;;
  esac
}
