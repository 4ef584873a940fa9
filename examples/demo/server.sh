#!/bin/sh
# The example's web server: serves $MESSAGE; $BEHAVIOUR breaks it. "crash" ends at once, "never-ready" serves but never says so.
echo "shop is starting (behaviour: ${BEHAVIOUR:-serve})"
mkdir -p /tmp/www
echo "${MESSAGE:-welcome}" >/tmp/www/index.html
case "${BEHAVIOUR:-serve}" in
  crash)
    echo "connecting to cache:6379"
    echo "Error: getaddrinfo ENOTFOUND cache"
    exit 1
    ;;
  never-ready) echo "waiting for the moon" ;;
  *) echo ok >/tmp/www/ready ;;
esac
# busybox's httpd ignores SIGTERM as PID 1; a shell that waits for it does not.
trap 'kill $server; exit 0' TERM
httpd -f -p 8080 -h /tmp/www &
server=$!
wait $server
