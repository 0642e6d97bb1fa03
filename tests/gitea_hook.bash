#!/bin/bash
# What `gitea hook` does at a push, without a start of that large program for each of its three hooks: the same question
# to the server's own hook API, and its refusal in the same words. `update` is left out: Gitea keeps it empty.
# tests/gitea_server.py puts it in place; a repository with `core.hooksPath = hooks` has Gitea's own (test_gitea.py).
port=PORT token=TOKEN
hook=${0##*/}
# Gitea's own pushes, and plain git in the folder, are not asked about.
[[ ${GITEA_INTERNAL_PUSH-} != true && ${SSH_ORIGINAL_COMMAND-} ]] || exit 0

text() { local said=${1//\\/\\\\}; printf '"%s"' "${said//\"/\\\"}"; }
old='' new='' refs=''
while read -r from to ref; do
  old+=",$(text "$from")" new+=",$(text "$to")" refs+=",$(text "$ref")"
done
[[ $refs ]] || exit 0
body="{\"OldCommitIDs\":[${old:1}],\"NewCommitIDs\":[${new:1}],\"RefFullNames\":[${refs:1}]"
for each in UserName:GITEA_PUSHER_NAME GitObjectDirectory:GIT_OBJECT_DIRECTORY GitQuarantinePath:GIT_QUARANTINE_PATH \
  GitAlternativeObjectDirectories:GIT_ALTERNATE_OBJECT_DIRECTORIES PushTrigger:GITEA_PUSH_TRIGGER; do
  variable=${each#*:}
  body+=",\"${each%:*}\":$(text "${!variable-}")"
done
for each in UserID:GITEA_PUSHER_ID PullRequestID:GITEA_PR_ID DeployKeyID:GITEA_DEPLOY_KEY_ID ActionsTaskID:GITEA_ACTIONS_TASK_ID; do
  variable=${each#*:}
  body+=",\"${each%:*}\":${!variable:-0}"
done
body+='}'

exec 3<> "/dev/tcp/127.0.0.1/$port" || exit 1
LC_ALL=C
printf 'POST /api/internal/hook/%s/%s/%s HTTP/1.0\r\nHost: 127.0.0.1:%s\r\nX-Gitea-Internal-Auth: Bearer %s\r\n' \
  "$hook" "$GITEA_REPO_USER_NAME" "$GITEA_REPO_NAME" "$port" "$token" >&3
printf 'X-Real-IP: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %s\r\n\r\n%s' "${#body}" "$body" >&3
IFS= read -r -d '' answer <&3
[[ $answer =~ ^HTTP/1\.[01]\ 2 ]] && exit 0
said='Internal Server Error (no specific error)'
[[ $answer =~ \"user_msg\":\"(([^\"\\]|\\.)*)\" ]] && printf -v said '%b' "${BASH_REMATCH[1]}"
echo
printf 'error:\nerror: %s\nerror:\n' "$said" >&2
exit 1
