"""The pages for readers: each module a few addresses."""

from typing import Final

from fastapi import APIRouter

from api.routes.site import (
    acts,
    collections,
    comments,
    daily,
    digest_settings,
    digests,
    feeds,
    for_you,
    hidden_papers,
    interests,
    judging,
    library,
    library_imports,
    mails,
    manifest,
    moderation,
    named,
    own_data,
    paper,
    private_feeds,
    search,
    settings,
    sign_in,
    single_sign_on,
    submit,
    today,
    trending,
    welcome,
)

ROUTERS: Final[tuple[APIRouter, ...]] = (
    acts.router,
    daily.router,  # before papers, whose ids may hold slashes
    trending.router,
    for_you.router,
    search.router,
    named.router,
    collections.router,
    library.router,
    library_imports.router,
    manifest.router,
    today.router,
    feeds.router,
    private_feeds.router,
    single_sign_on.router,
    sign_in.router,  # after it: its links could have any name
    settings.router,
    interests.router,
    hidden_papers.router,
    judging.router,
    welcome.router,
    digest_settings.router,
    digests.router,
    mails.router,
    own_data.router,
    comments.router,
    moderation.router,
    submit.router,
    paper.router,  # last: any path may be the id of a paper
)
